// The command line from outside: exit codes, help, streams, forced variants.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/golden.h"
#include "tests/support/run_command.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework {
namespace {

using testing::CommandOptions;
using testing::CommandResult;
using testing::run_piecework;

constexpr const char* kCommandNames[] = {"bench", "cat",  "catalogue", "check-proof", "commp",  "drill", "extract",
                                         "find",  "fr32", "info",      "ls",          "merge",  "pack",  "plan",
                                         "prove", "repair", "todo",    "verify"};

nlohmann::json golden_row(size_t payload_bytes) {
  const nlohmann::json rows = testing::load_vectors("public/commp.json");
  const auto row = std::ranges::find_if(rows, [&](const auto& it) { return it.at("size") == payload_bytes; });
  EXPECT_NE(row, rows.end());
  return *row;
}

std::string payload_of(const nlohmann::json& row) {
  const std::vector<uint8_t> payload = testing::deterministic_bytes(row.at("seed").get<std::string>(), row.at("size"));
  return std::string(payload.begin(), payload.end());
}

TEST(CommandLineTest, HelpShowsExitCodesAndAnExample) {
  for (const char* name : kCommandNames) {
    const CommandResult help = run_piecework({name, "--help"});
    EXPECT_EQ(help.exit_code, 0) << name;
    EXPECT_NE(help.standard_output.find("Exit codes:"), std::string::npos) << name;
    EXPECT_NE(help.standard_output.find("Example:\n  piecework " + std::string(name)), std::string::npos) << name;
  }
}

TEST(CommandLineTest, WrongUsageIs64) {
  const std::vector<std::vector<std::string>> lines = {{},
                                                       {"frobnicate"},
                                                       {"commp"},
                                                       {"commp", "--frobnicate", "x"},
                                                       {"commp", "--threads", "many", "x"},
                                                       {"commp", "--threads", "-1", "x"},
                                                       {"commp", "a", "b"},
                                                       {"info", "extra"}};
  for (const std::vector<std::string>& line : lines) {
    const CommandResult result = run_piecework(line);
    EXPECT_EQ(result.exit_code, 64) << (line.empty() ? "no arguments" : line.back());
    EXPECT_EQ(result.standard_output, "");
    EXPECT_NE(result.standard_error, "");
  }
}

TEST(CommandLineTest, VersionIsPrinted) {
  const CommandResult result = run_piecework({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.standard_output.rfind("piecework ", 0), 0u) << result.standard_output;
}

TEST(CommpCommandTest, JsonOfAFileAndOfStandardInput) {
  const nlohmann::json golden = golden_row(1048577);
  const std::string payload = payload_of(golden);
  const testing::TempDir directory;
  testing::write_file(directory / "payload", payload);
  const nlohmann::json expected = {{"piece_cid_v1", golden.at("v1")},
                                   {"piece_cid_v2", golden.at("v2")},
                                   {"payload_bytes", golden.at("size")},
                                   {"padded_bytes", golden.at("paddedSize")}};
  const CommandResult from_file = run_piecework({"commp", "--json", directory / "payload"});
  EXPECT_EQ(from_file.exit_code, 0) << from_file.standard_error;
  EXPECT_EQ(nlohmann::json::parse(from_file.standard_output), expected);
  CommandOptions options;
  options.standard_input = payload;
  const CommandResult from_stream = run_piecework({"commp", "-", "--json", "--threads", "1"}, options);
  EXPECT_EQ(from_stream.exit_code, 0) << from_stream.standard_error;
  EXPECT_EQ(nlohmann::json::parse(from_stream.standard_output), expected);
}

TEST(CommpCommandTest, EveryForcedVariantGivesTheSamePiece) {
  const nlohmann::json golden = golden_row(1040385);
  const testing::TempDir directory;
  testing::write_file(directory / "payload", payload_of(golden));
  const CommandResult info = run_piecework({"info", "--json"});
  ASSERT_EQ(info.exit_code, 0) << info.standard_error;
  const nlohmann::json printed = nlohmann::json::parse(info.standard_output);
  for (const nlohmann::json& variant : printed.at("variants")) {
    const std::string name = variant.at("kernel").get<std::string>() + "=" + variant.at("name").get<std::string>();
    CommandOptions options;
    options.environment["PIECEWORK_FORCE_VARIANT"] = name;
    const CommandResult forced = run_piecework({"commp", "--json", directory / "payload"}, options);
    if (!variant.at("supported").get<bool>()) {
      EXPECT_EQ(forced.exit_code, 64) << name;
      continue;
    }
    ASSERT_EQ(forced.exit_code, 0) << name << ": " << forced.standard_error;
    EXPECT_EQ(nlohmann::json::parse(forced.standard_output).at("piece_cid_v2"), golden.at("v2")) << name;
  }
}

TEST(ForcedVariantTest, IsActiveInInfo) {
  CommandOptions options;
  options.environment["PIECEWORK_FORCE_VARIANT"] = "scalar";
  const CommandResult info = run_piecework({"info", "--json"}, options);
  ASSERT_EQ(info.exit_code, 0) << info.standard_error;
  const nlohmann::json printed = nlohmann::json::parse(info.standard_output);
  for (const nlohmann::json& variant : printed.at("variants"))
    EXPECT_EQ(variant.at("active").get<bool>(), variant.at("name") == "scalar") << variant.dump();
}

TEST(ForcedVariantTest, UnknownIsRefusedWithWhatThereIs) {
  CommandOptions options;
  options.environment["PIECEWORK_FORCE_VARIANT"] = "sha256_nodes=abacus";
  const CommandResult result = run_piecework({"info"}, options);
  EXPECT_EQ(result.exit_code, 64);
  EXPECT_NE(result.standard_error.find("abacus"), std::string::npos);
  EXPECT_NE(result.standard_error.find("sha256_nodes=scalar"), std::string::npos);
}

TEST(CommpCommandTest, ErrorsOfTheSource) {
  EXPECT_EQ(run_piecework({"commp", "/nonexistent/file"}).exit_code, 66);
  EXPECT_EQ(run_piecework({"commp", "/"}).exit_code, 64);
  const CommandResult escaped = run_piecework({"commp", "/nonexistent/\x1b[31m"});
  EXPECT_EQ(escaped.standard_error.find('\x1b'), std::string::npos);
}

// A pipe without bytes, and a signal once the program has its handlers (bit 14 of SigCgt, proc(5)).
TEST(CommpCommandTest, SignalWhileWaitingForBytesIs75) {
  const testing::TempDir directory;
  constexpr const char* kScript = R"(
      mkfifo "$1" && exec 3<> "$1"
      "$0" commp - <&3 &
      until grep -qE '^SigCgt:.*[4-7c-f][0-9a-f]{3}$' /proc/$!/status; do sleep 0.01; done
      kill $! && wait $!)";
  const CommandResult result =
      testing::run_command({"sh", "-c", kScript, PIECEWORK_BINARY, directory / "silent pipe"});
  EXPECT_EQ(result.exit_code, 75) << result.standard_error;
}

TEST(CommpCommandTest, ClosedStandardOutputIsADestinationError) {
  const testing::TempDir directory;
  testing::write_file(directory / "payload", "x");
  const CommandResult result = testing::run_command(
      {"sh", "-c", std::string(PIECEWORK_BINARY " commp ") + (directory / "payload").native() + " > /dev/full"});
  EXPECT_EQ(result.exit_code, 73) << result.standard_error;
}

TEST(Fr32CommandTest, PadsAsTheFormatSaysAndBack) {
  CommandOptions options;
  options.standard_input = std::string(128, '\xff');  // one quad and one byte
  const CommandResult padded = run_piecework({"fr32"}, options);
  ASSERT_EQ(padded.exit_code, 0) << padded.standard_error;
  std::string expected;
  for (int leaf = 0; leaf < 4; ++leaf) expected += std::string(31, '\xff') + '\x3f';
  expected += '\xff' + std::string(127, '\0');
  EXPECT_EQ(padded.standard_output, expected);
  options.standard_input = padded.standard_output;
  const CommandResult unpadded = run_piecework({"fr32", "--unpad"}, options);
  ASSERT_EQ(unpadded.exit_code, 0) << unpadded.standard_error;
  EXPECT_EQ(unpadded.standard_output, std::string(128, '\xff') + std::string(126, '\0'));
}

TEST(Fr32CommandTest, LongInputSurvivesTheRoundTrip) {
  const std::vector<uint8_t> payload = testing::deterministic_bytes("fr32", 127 * 20000);
  CommandOptions options;
  options.standard_input.assign(payload.begin(), payload.end());
  const std::string before = options.standard_input;
  options.standard_input = run_piecework({"fr32"}, options).standard_output;
  EXPECT_EQ(options.standard_input.size(), 128u * 20000);
  EXPECT_EQ(run_piecework({"fr32", "--unpad"}, options).standard_output, before);
}

TEST(Fr32CommandTest, UnpadRefusesWhatIsNotFr32) {
  CommandOptions options;
  options.standard_input = std::string(127, '\0');
  EXPECT_EQ(run_piecework({"fr32", "--unpad"}, options).exit_code, 65);
  options.standard_input = std::string(128, '\xff');
  EXPECT_EQ(run_piecework({"fr32", "--unpad"}, options).exit_code, 65);
  options.standard_input.clear();
  EXPECT_EQ(run_piecework({"fr32", "--unpad"}, options).exit_code, 0);
}

}  // namespace
}  // namespace piecework
