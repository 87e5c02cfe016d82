// Programs that answer, that do not, and that never end.
#include "io/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace piecework::io {
namespace {

class ChildProcess : public ::testing::Test {
 protected:
  ChildProcess() { signal(SIGPIPE, SIG_IGN); }
};

TEST_F(ChildProcess, InputOutputAndArgumentsAreWhatWasGiven) {
  const std::string input(300'000, 'i');
  ChildCommand command{.arguments = {"sh", "-c", "wc -c; printf '%s|' \"$@\"; printf warning >&2; exit 3", "sh", "a b",
                                     "$(id)", "*", ""}};
  command.input = as_bytes(input);
  const ChildOutcome outcome = run_child(command).value();
  EXPECT_EQ(outcome.output, "300000\na b|$(id)|*||");
  EXPECT_EQ(outcome.error_output, "warning");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_FALSE(outcome.is_success());
}

TEST_F(ChildProcess, InputThatNobodyReads) {
  const std::string input(300'000, 'i');
  ChildCommand command{.arguments = {"true"}};
  command.input = as_bytes(input);
  EXPECT_TRUE(run_child(command).value().is_success());
}

TEST_F(ChildProcess, ProgramsThatAreNotThere) {
  const Result<ChildOutcome> outcome = run_child({.arguments = {"/nonexistent/program"}});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(outcome.error().side, ErrorSide::kConfig);
}

TEST_F(ChildProcess, TimeLimitEndsTheWholeGroup) {
  // The second sleep keeps the outputs open after the shell is gone.
  for (const std::string script : {"sleep 1000", "sleep 1000 & exit 0", "exec >&- 2>&-; sleep 1000"}) {
    const ChildOutcome outcome = run_child({.arguments = {"sh", "-c", script}, .timeout_ms = 200}).value();
    EXPECT_NE(outcome.failure.find("200 ms"), std::string::npos) << script << ": " << outcome.failure;
    EXPECT_FALSE(outcome.is_success());
  }
}

// Whether the process is gone, or waits for its parent to look at how it ended.
bool is_over(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;
  return text.substr(text.rfind(')') + 2, 1) == "Z";
}

TEST_F(ChildProcess, WhatItLeftBehindEndsWithIt) {
  const ChildOutcome outcome =
      run_child({.arguments = {"sh", "-c", "sleep 1000 & echo $!; exit 0"}, .timeout_ms = 500}).value();
  const std::string pid = outcome.output.substr(0, outcome.output.find('\n'));
  ASSERT_FALSE(pid.empty());
  for (int i = 0; i < 1000 && !is_over(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(is_over(pid));
}

TEST_F(ChildProcess, WithoutAnExitCodeThereIsNoSuccess) {
  const auto before = signal(SIGCHLD, SIG_IGN);
  const ChildOutcome outcome = run_child({.arguments = {"sh", "-c", "echo '{}'; exit 1"}}).value();
  signal(SIGCHLD, before);
  EXPECT_FALSE(outcome.is_success());
  EXPECT_NE(outcome.failure.find("SIGCHLD"), std::string::npos) << outcome.failure;
}

TEST_F(ChildProcess, StopEndsIt) {
  const std::atomic<bool> stop = true;
  const ChildOutcome outcome = run_child({.arguments = {"sleep", "1000"}, .stop = &stop}).value();
  EXPECT_EQ(outcome.failure, "it was stopped");
}

TEST_F(ChildProcess, OutputIsBounded) {
  const ChildOutcome outcome =
      run_child({.arguments = {"sh", "-c", "yes; sleep 1000"}, .output_bytes_max = 100'000}).value();
  EXPECT_NE(outcome.failure.find("100000 bytes"), std::string::npos) << outcome.failure;
  EXPECT_LE(outcome.output.size(), 100'000U);
  const ChildOutcome errors = run_child({.arguments = {"sh", "-c", "yes | head -c 1000000 >&2"}}).value();
  EXPECT_TRUE(errors.is_success());
  EXPECT_EQ(errors.error_output.size(), 4096U);
}

TEST_F(ChildProcess, SignalsAreNoSuccess) {
  const ChildOutcome outcome = run_child({.arguments = {"sh", "-c", "kill -9 $$"}}).value();
  EXPECT_FALSE(outcome.is_success());
  EXPECT_NE(outcome.failure.find("signal 9"), std::string::npos);
}

}  // namespace
}  // namespace piecework::io
