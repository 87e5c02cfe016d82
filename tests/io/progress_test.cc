// Short transfers, the end of a file, errors on the way: what each kernel result makes of an operation.
#include "io/progress.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <vector>

namespace piecework::io {
namespace {

class ProgressTest : public ::testing::Test {
 protected:
  void read(size_t target_bytes, uint64_t offset_bytes) {
    bytes_.assign(target_bytes, 0);
    operation_.request = ReadRequest{-1, bytes_, offset_bytes};
  }
  void write(size_t source_bytes, uint64_t offset_bytes) {
    bytes_.assign(source_bytes, 0);
    operation_.request = WriteRequest{-1, bytes_, offset_bytes};
  }
  std::vector<uint8_t> bytes_;
  Operation operation_;
};

TEST_F(ProgressTest, AShortReadGoesOnWhereItStopped) {
  read(100, 1000);
  EXPECT_EQ(remaining_target(operation_).size(), 100u);
  EXPECT_EQ(apply_kernel_result(operation_, 30), Progress::kAgain);
  EXPECT_EQ(remaining_target(operation_).data(), bytes_.data() + 30);
  EXPECT_EQ(remaining_target(operation_).size(), 70u);
  EXPECT_EQ(current_offset(operation_), 1030u);
  EXPECT_EQ(apply_kernel_result(operation_, 70), Progress::kDone);
  EXPECT_TRUE(operation_.result.ok());
  EXPECT_EQ(operation_.result.done_bytes, 100u);
}

TEST_F(ProgressTest, TheEndOfTheFileEndsARead) {
  read(100, 0);
  EXPECT_EQ(apply_kernel_result(operation_, 30), Progress::kAgain);
  EXPECT_EQ(apply_kernel_result(operation_, 0), Progress::kDone);
  EXPECT_TRUE(operation_.result.ok());
  EXPECT_EQ(operation_.result.done_bytes, 30u);
}

// Real media: 36,864 of 65,536 bytes come as a short read, the error only with the next call.
TEST_F(ProgressTest, AnErrorAfterAShortReadKeepsTheOffsetReached) {
  read(65536, 8192);
  EXPECT_EQ(apply_kernel_result(operation_, 36864), Progress::kAgain);
  EXPECT_EQ(apply_kernel_result(operation_, -EIO), Progress::kDone);
  EXPECT_EQ(operation_.result.sys_errno, EIO);
  EXPECT_EQ(operation_.result.done_bytes, 36864u);
  EXPECT_EQ(current_offset(operation_), 8192u + 36864u);
}

TEST_F(ProgressTest, AShortWriteGoesOnAndAnErrorAfterItIsReported) {
  write(1000, 0);
  EXPECT_EQ(apply_kernel_result(operation_, 999), Progress::kAgain);
  EXPECT_EQ(remaining_source(operation_).size(), 1u);
  EXPECT_EQ(apply_kernel_result(operation_, -ENOSPC), Progress::kDone);
  EXPECT_EQ(operation_.result.sys_errno, ENOSPC);
  EXPECT_EQ(operation_.result.done_bytes, 999u);
}

TEST_F(ProgressTest, AWriteThatTakesNothingIsAnErrorNotALoop) {
  write(10, 0);
  EXPECT_EQ(apply_kernel_result(operation_, 0), Progress::kDone);
  EXPECT_EQ(operation_.result.sys_errno, EIO);
}

TEST_F(ProgressTest, EmptyTransfersAreDone) {
  read(0, 7);
  EXPECT_EQ(apply_kernel_result(operation_, 0), Progress::kDone);
  EXPECT_TRUE(operation_.result.ok());
  write(0, 7);
  EXPECT_EQ(apply_kernel_result(operation_, 0), Progress::kDone);
  EXPECT_TRUE(operation_.result.ok());
}

TEST_F(ProgressTest, InterruptionsBetweenPartsDoNotAddUp) {
  read(3, 0);
  for (int part = 0; part < 3; ++part) {
    for (int i = 0; i < 90; ++i) ASSERT_EQ(apply_kernel_result(operation_, -EINTR), Progress::kAgain);
    EXPECT_EQ(apply_kernel_result(operation_, 1), part == 2 ? Progress::kDone : Progress::kAgain);
  }
  EXPECT_TRUE(operation_.result.ok());
}

TEST_F(ProgressTest, LargeTransfersAreCutToWhatOneCallMoves) {
  auto* const nowhere = reinterpret_cast<uint8_t*>(uintptr_t{1} << 32);  // never dereferenced
  operation_.request = ReadRequest{-1, {nowhere, 3 * kTransferBytesMax + 5}, 0};
  for (int part = 0; part < 3; ++part) {
    EXPECT_EQ(remaining_target(operation_).size(), kTransferBytesMax);
    EXPECT_EQ(apply_kernel_result(operation_, int64_t{1} << 30), Progress::kAgain);
  }
  EXPECT_EQ(remaining_target(operation_).size(), 5u);
  EXPECT_EQ(current_offset(operation_), 3 * kTransferBytesMax);
}

}  // namespace
}  // namespace piecework::io
