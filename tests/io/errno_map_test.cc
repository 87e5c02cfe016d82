// Walks the errno table: every row is unique and does what it says, and the rows that matter most are there.
#include "io/errno_map.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "io/progress.h"

namespace piecework::io {
namespace {

// A request of `kind` whose descriptor does not exist, so that judging it touches nothing.
Request request_of(OperationKind kind) {
  static uint8_t byte = 0;
  switch (kind) {
    case OperationKind::kOpen:
      return OpenRequest{-1, "none", {}};
    case OperationKind::kStat:
      return StatRequest{};
    case OperationKind::kRead:
      return ReadRequest{-1, {&byte, 1}, 0};
    case OperationKind::kWrite:
      return WriteRequest{-1, {&byte, 1}, 0};
    case OperationKind::kSync:
      return SyncRequest{};
    case OperationKind::kClose:
      return CloseRequest{};
    case OperationKind::kNone:
      break;
  }
  return {};
}

TEST(ErrnoMapTest, EveryRowIsUniqueAndHasAReason) {
  std::set<std::pair<OperationKind, int>> seen;
  for (const ErrnoRule& rule : errno_rules()) {
    EXPECT_TRUE(seen.emplace(rule.kind, rule.sys_errno).second) << rule.reason;
    EXPECT_NE(rule.kind, OperationKind::kNone);
    EXPECT_GT(rule.sys_errno, 0);
    EXPECT_GT(std::strlen(rule.reason), 10u);
    EXPECT_EQ(find_errno_rule(rule.kind, rule.sys_errno), &rule);
  }
}

TEST(ErrnoMapTest, EveryRowDecidesWhatHappensToAnOperation) {
  for (const ErrnoRule& rule : errno_rules()) {
    SCOPED_TRACE(rule.reason);
    Operation operation;
    operation.request = request_of(rule.kind);
    const Progress progress = apply_kernel_result(operation, -rule.sys_errno);
    const bool retries = rule.decision == ErrnoDecision::kRetry || rule.decision == ErrnoDecision::kRetryBlocking;
    EXPECT_EQ(progress, retries ? Progress::kAgain : Progress::kDone);
    EXPECT_EQ(operation.state.may_block, rule.decision == ErrnoDecision::kRetryBlocking);
    EXPECT_EQ(operation.result.sys_errno, rule.decision == ErrnoDecision::kFail ? rule.sys_errno : 0);
  }
}

TEST(ErrnoMapTest, RetriesEndAndReportTheErrno) {
  for (const ErrnoRule& rule : errno_rules()) {
    if (rule.decision != ErrnoDecision::kRetry && rule.decision != ErrnoDecision::kRetryBlocking) continue;
    Operation operation;
    operation.request = request_of(rule.kind);
    for (uint32_t i = 0; i < kRetryCountMax; ++i) {
      ASSERT_EQ(apply_kernel_result(operation, -rule.sys_errno), Progress::kAgain);
    }
    EXPECT_EQ(apply_kernel_result(operation, -rule.sys_errno), Progress::kDone);
    EXPECT_EQ(operation.result.sys_errno, rule.sys_errno);
  }
}

TEST(ErrnoMapTest, NoSyncIsEverRepeated) {
  for (int sys_errno = 1; sys_errno < 200; ++sys_errno) {
    EXPECT_EQ(errno_decision(OperationKind::kSync, sys_errno), ErrnoDecision::kFail) << sys_errno;
  }
}

TEST(ErrnoMapTest, AClosedDescriptorIsNotClosedAgain) {
  EXPECT_EQ(errno_decision(OperationKind::kClose, EINTR), ErrnoDecision::kSuccess);
}

TEST(ErrnoMapTest, WhatIsNotInTheTableFailsWithTheCodeOfTheErrno) {
  EXPECT_EQ(find_errno_rule(OperationKind::kRead, EXFULL), nullptr);
  EXPECT_EQ(errno_decision(OperationKind::kRead, EXFULL), ErrnoDecision::kFail);
  EXPECT_EQ(errno_error_of(OperationKind::kRead, EXFULL, ErrorSide::kSource, "x").code, ErrorCode::kIo);
}

TEST(ErrnoMapTest, ErrorsNameOperationPathAndOffset) {
  Operation operation;
  uint8_t bytes[16] = {};
  operation.request = ReadRequest{-1, bytes, 4096};
  EXPECT_EQ(apply_kernel_result(operation, 10), Progress::kAgain);
  EXPECT_EQ(apply_kernel_result(operation, -EIO), Progress::kDone);
  const Error error = operation_error(operation, ErrorSide::kSource, "dir/na\nme");
  EXPECT_EQ(error.message, "reading 'dir/na\\x0ame' at 4106: Input/output error");
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_EQ(error.side, ErrorSide::kSource);
  EXPECT_EQ(error.path, "dir/na\nme");
  EXPECT_EQ(error.sys_errno, EIO);
}

TEST(ErrnoMapTest, ASymlinkInThePlaceOfAFileIsAChange) {
  EXPECT_EQ(errno_error_of(OperationKind::kOpen, ELOOP, ErrorSide::kSource, "x").code, ErrorCode::kChanged);
  EXPECT_EQ(errno_error_of(OperationKind::kOpen, EXDEV, ErrorSide::kSource, "x").code, ErrorCode::kChanged);
  EXPECT_EQ(errno_error_of(OperationKind::kWrite, EFBIG, ErrorSide::kDestination, "x").code, ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace piecework::io
