// This test program as its own child. The disabled tests are what the child does.
#include "tools/child_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/support/temp_dir.h"
#include "tools/exit_code.h"
#include "tools/measure.h"

namespace piecework::tools {
namespace {

TEST(ChildProcessTest, DISABLED_SaysSomething) {
  EXPECT_EQ(isatty(STDIN_FILENO), 0);
  char byte = 0;
  EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 0);
  std::puts("said on standard output");
}
TEST(ChildProcessTest, DISABLED_CannotWrite) {
  std::fputs("the disk is full\n", stderr);
  _exit(kExitCannotWrite);
}
TEST(ChildProcessTest, DISABLED_IsStopped) { _exit(kExitStopped); }
TEST(ChildProcessTest, DISABLED_IsKilled) { raise(SIGKILL); }
TEST(ChildProcessTest, DISABLED_Works) {
  EXPECT_GT(cpu_seconds_of([] {
              std::vector<uint8_t> bytes(1 << 20);
              const double start = static_cast<double>(clock()) / CLOCKS_PER_SEC;
              while (static_cast<double>(clock()) / CLOCKS_PER_SEC < start + 0.2) fill_random(bytes);
            }),
            0.2);
}

Result<FinishedChild> run_disabled(const std::string& name) {
  const testing::TempDir scratch;
  return run_self({"--gtest_also_run_disabled_tests", "--gtest_filter=ChildProcessTest.DISABLED_" + name},
                  scratch.path());
}

TEST(ChildProcessTest, TakesWhatItPrintedAndGivesItNothing) {
  const Result<FinishedChild> child = run_disabled("SaysSomething");
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_NE(child->standard_output.find("said on standard output"), std::string::npos);
}

TEST(ChildProcessTest, MeasuresWhatItTook) {
  const Result<FinishedChild> child = run_disabled("Works");
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_GE(child->usage.cpu_seconds, 0.2);
  EXPECT_GE(child->usage.seconds, 0.1);
}

TEST(ChildProcessTest, AnExitCodeBecomesTheErrorItStandsFor) {
  const Result<FinishedChild> full = run_disabled("CannotWrite");
  ASSERT_FALSE(full);
  EXPECT_EQ(exit_code_of(full.error()), kExitCannotWrite);
  EXPECT_NE(full.error().message.find("the disk is full"), std::string::npos) << full.error().message;
  const Result<FinishedChild> stopped = run_disabled("IsStopped");
  ASSERT_FALSE(stopped);
  EXPECT_EQ(exit_code_of(stopped.error()), kExitStopped);
  const Result<FinishedChild> killed = run_disabled("IsKilled");
  ASSERT_FALSE(killed);
  EXPECT_EQ(exit_code_of(killed.error()), kExitInternal);
  EXPECT_NE(killed.error().message.find("signal 9"), std::string::npos) << killed.error().message;
}

}  // namespace
}  // namespace piecework::tools
