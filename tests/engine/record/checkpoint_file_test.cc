// The checkpoint file: what is appended is what a later process gets, marks come after their syncs, and a log that is
// written anew says the same.
#include "engine/record/checkpoint_file.h"

#include <gtest/gtest.h>

#include <string>

#include "io/backend.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using piecework::testing::TempDir;

const io::HostIdentity kHere{"boot-1", "host-1"};
const io::HostIdentity kRebooted{"boot-2", "host-1"};
constexpr CheckpointPolicy kNoMarks{.mark_bytes = UINT64_MAX};
constexpr CheckpointPolicy kMarked{.mark_bytes = 0};

class CheckpointFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_.emplace(std::move(*io::OutputDirectory::open_or_create(temp_.path())));
    backend_ = std::move(*io::make_backend({.kind = io::BackendKind::kPosix, .thread_count = 1}));
    file_.emplace(open("log"));
    data_.emplace(open("data"));
  }
  io::PublishedFile open(std::string_view what) const {
    auto file = io::PublishedFile::open(*directory_, what, io::PublishedFile::Mode::kAdopt);
    EXPECT_TRUE(file && *file);
    (*file)->keep_temporary();
    return std::move(**file);
  }
  std::unique_ptr<CheckpointFile> make(const CheckpointPolicy& policy) {
    return std::make_unique<CheckpointFile>(*directory_, *file_, "new-log", std::vector<int>{data_->fd()}, *backend_,
                                            policy);
  }
  // The process is gone, the file is not.
  void reopen() {
    file_.reset();
    file_.emplace(open("log"));
  }
  CheckpointSummary scan() const {
    const auto summary = scan_checkpoint(checkpoint_source(*file_), *file_->size_bytes());
    EXPECT_TRUE(summary && *summary);
    return **summary;
  }
  ResumePoint load(const CheckpointState& state) const {
    ClassStore classes = std::move(*ClassStore::create(1000, temp_.path()));
    auto point = load_checkpoint(checkpoint_source(*file_), state, classes);
    EXPECT_TRUE(point.has_value()) << point.error().message;
    return std::move(*point);
  }
  static void append(CheckpointFile& log, uint64_t number, size_t state_bytes = 100, bool is_complete = false) {
    const std::string state(state_bytes, static_cast<char>('a' + number % 26));
    const SegmentRoot root{number, {}};
    PieceCheckpoint checkpoint{.car_bytes = 1000 * number, .spool_bytes = 10 * number};
    checkpoint.is_complete = is_complete;
    checkpoint.state = as_bytes(state);
    checkpoint.new_roots = {&root, 1};
    const ClassPut put{static_cast<uint32_t>(number), {}};
    ASSERT_TRUE(log.add_classes({&put, 1}));
    const Status appended = log.append(checkpoint);
    ASSERT_TRUE(appended.has_value()) << appended.error().message;
  }

  TempDir temp_;
  std::optional<io::OutputDirectory> directory_;
  std::unique_ptr<io::Backend> backend_;
  std::optional<io::PublishedFile> file_;
  std::optional<io::PublishedFile> data_;  // what marks vouch for
};

TEST_F(CheckpointFileTest, GoesOnBehindTheLastState) {
  {
    const auto log = make(kNoMarks);
    ASSERT_TRUE(log->start({}, kHere));
    for (uint64_t number = 1; number <= 3; ++number) append(*log, number);
  }
  reopen();
  const CheckpointSummary first = scan();
  EXPECT_EQ(first.last->car_bytes, 3000u);
  EXPECT_FALSE(first.marked);
  {
    const auto log = make(kNoMarks);
    ASSERT_TRUE(log->go_on(first, *first.last, kRebooted));
    append(*log, 4);
  }
  reopen();
  const CheckpointSummary second = scan();
  EXPECT_EQ(second.host.boot_id, "boot-2");
  EXPECT_EQ(second.last->number, 4u);
  EXPECT_EQ(load(*second.last).roots.size(), 4u);
  EXPECT_EQ(load(*second.last).spool_bytes, 40u);
}

TEST_F(CheckpointFileTest, WhatCameAfterTheBelievedStateIsCutOff) {
  {
    const auto log = make(kMarked);
    ASSERT_TRUE(log->start({}, kHere));
    append(*log, 1);
  }
  {
    const CheckpointSummary summary = scan();
    const auto log = make(kNoMarks);
    ASSERT_TRUE(log->go_on(summary, *summary.last, kHere));
    append(*log, 2);
    append(*log, 3);
  }
  reopen();
  const CheckpointSummary summary = scan();
  EXPECT_EQ(summary.believed(kHere)->number, 3u);
  const CheckpointState marked = *summary.believed(kRebooted);
  EXPECT_EQ(marked.number, 1u);
  {
    const auto log = make(kNoMarks);
    ASSERT_TRUE(log->go_on(summary, marked, kRebooted));
  }
  // Stopped at once, and another power cut: the mark still holds, the unsynced states are gone for good.
  EXPECT_EQ(scan().believed(kRebooted)->number, 1u);
  EXPECT_EQ(scan().believed(kHere)->number, 1u);
  EXPECT_EQ(load(*scan().last).roots.size(), 1u);
}

TEST_F(CheckpointFileTest, MarksComeAfterTheirSyncs) {
  const auto log = make({.mark_bytes = 2000});
  ASSERT_TRUE(log->start({}, kHere));
  append(*log, 1);
  EXPECT_FALSE(scan().marked) << "1000 bytes are not due";
  append(*log, 2);
  ASSERT_TRUE(log->settle());
  EXPECT_EQ(scan().marked->number, 2u);
  append(*log, 3);
  append(*log, 4);
  ASSERT_TRUE(log->settle());
  EXPECT_EQ(scan().marked->number, 4u);
}

TEST_F(CheckpointFileTest, ALargePieceThatIsCompleteIsMarked) {
  const auto log = make({.mark_bytes = 5000});
  ASSERT_TRUE(log->start({}, kHere));
  append(*log, 5);
  append(*log, 6, 100, true);
  ASSERT_TRUE(log->settle());
  EXPECT_EQ(scan().marked->car_bytes, 6000u);
  EXPECT_TRUE(scan().marked->is_complete);
}

// The kernel may have dropped the pages and would report success the next time: nobody may go on from here.
TEST_F(CheckpointFileTest, ASyncThatFailsIsAnErrorAndEmptiesTheLog) {
  CheckpointFile log(*directory_, *file_, "new-log", {-1}, *backend_, {.mark_bytes = 1000});
  ASSERT_TRUE(log.start({}, kHere));
  append(log, 1);
  const Status settled = log.settle();
  ASSERT_FALSE(settled.has_value());
  EXPECT_EQ(settled.error().side, ErrorSide::kDestination);
  EXPECT_EQ(*file_->size_bytes(), 0u);
}

TEST_F(CheckpointFileTest, ALogWrittenAnewSaysTheSame) {
  constexpr size_t kStateBytes = 5000;
  const auto log = make({.mark_bytes = 100'000, .dead_bytes_max = 20'000});
  ASSERT_TRUE(log->start({}, kHere));
  for (uint64_t number = 1; number <= 300; ++number) {
    append(*log, number, kStateBytes);
    EXPECT_LT(*file_->size_bytes(), 100'000u) << "after " << number;
    if (number % 50 != 0) continue;
    const CheckpointSummary summary = scan();
    EXPECT_EQ(summary.last->number, number);
    const ResumePoint point = load(*summary.last);
    EXPECT_EQ(point.roots.size(), number);
    EXPECT_EQ(point.state, std::vector<uint8_t>(kStateBytes, static_cast<uint8_t>('a' + number % 26)));
  }
  ASSERT_TRUE(log->settle());
  const CheckpointSummary summary = scan();
  ASSERT_TRUE(summary.marked);
  const ResumePoint marked = load(*summary.marked);
  EXPECT_EQ(marked.roots.size(), summary.marked->number);
  EXPECT_EQ(marked.car_bytes, 1000 * summary.marked->number);
}

TEST_F(CheckpointFileTest, AStateThatIsTooLargeIsLeftOut) {
  const auto log = make(kNoMarks);
  ASSERT_TRUE(log->start({}, kHere));
  append(*log, 1);
  append(*log, 2, kCheckpointRecordBytesMax);
  EXPECT_EQ(scan().last->number, 1u);
  append(*log, 3);
  EXPECT_EQ(scan().last->car_bytes, 3000u);
  EXPECT_EQ(load(*scan().last).roots.size(), 3u) << "its roots count nevertheless";
}

}  // namespace
}  // namespace piecework::engine
