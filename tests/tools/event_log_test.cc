// Event lines: their form, appending, and logs that cannot be written.
#include "tools/event_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.h"

namespace piecework::tools {
namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

TEST(EventLogTest, TimeAndNameComeFirst) {
  const testing::TempDir directory;
  EventLog log(directory / "events");
  EXPECT_TRUE(log.is_open());
  log.write("batch_done", {{"batch", 3}, {"payload_bytes", 1000}});
  const std::string text = testing::read_file(directory / "events");
  const std::regex line(R"re(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",)re"
                        R"re("event":"batch_done","batch":3,"payload_bytes":1000\}\n)re");
  EXPECT_TRUE(std::regex_match(text, line)) << text;
}

TEST(EventLogTest, AppendsToWhatIsThere) {
  const testing::TempDir directory;
  testing::write_file(directory / "events", "{\"event\":\"earlier\"}\n");
  EventLog(directory / "events").write("later", Json::object());
  const std::vector<Json> lines = lines_of(testing::read_file(directory / "events"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("event"), "earlier");
  EXPECT_EQ(lines[1].at("event"), "later");
}

TEST(EventLogTest, SeveralWritersNeverMixTheirLines) {
  const testing::TempDir directory;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      EventLog log(directory / "events");
      for (int i = 0; i < 200; ++i) log.write("line", {{"writer", writer}, {"text", std::string(500, 'x')}});
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(lines_of(testing::read_file(directory / "events")).size(), 800u);
}

TEST(EventLogTest, WhatIsNoTextStaysOneLineOfJson) {
  const testing::TempDir directory;
  EventLog(directory / "events").write("error", {{"message", "line\nfeed \xff"}});
  EXPECT_EQ(lines_of(testing::read_file(directory / "events")).size(), 1u);
}

TEST(EventLogTest, NoTargetAndTargetsThatCannotBeWritten) {
  const testing::TempDir directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);  // without a reader
  for (const std::string& target :
       {std::string(), std::string("/nonexistent/events"), directory.path().native(), (directory / "fifo").native()}) {
    EventLog log(target);
    EXPECT_FALSE(log.is_open()) << target;
    log.write("lost", Json::object());
  }
}

TEST(EventLogTest, EndsAtTheFirstFailure) {
  EventLog log("/dev/full");
  EXPECT_TRUE(log.is_open());
  log.write("lost", Json::object());
  EXPECT_FALSE(log.is_open());
}

}  // namespace
}  // namespace piecework::tools
