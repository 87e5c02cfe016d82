// The log's bytes are those of an independent encoder (tests/support/checkpoint_log.py), and reading believes exactly
// what the chain of CRCs covers.
#include "engine/record/checkpoint_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/piece/state_bytes.h"
#include "tests/engine/codec/hex_bytes.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using piecework::testing::hex;

constexpr std::string_view kLog =
    "65000000015057434845434b3101000000111111111111111111111111111111111111111111111111111111111111111122"
    "2222222222222222222222222222222222222222222222222222222222222201070000000000000008000000000000000900"
    "000000000000d4594689140000000206000000626f6f742d3106000000686f73742d31e4ebeb303600000003020000003333"
    "3333333333333333333333333333333333333333333333333333333333333b00000000000000640000000000000001004119"
    "d0ed2800000004050000000000000044444444444444444444444444444444444444444444444444444444444444440fd6e0"
    "7f2a00000005010000000000000000100000000000004d000000000000005800000000000000007374617465206f6e65a805"
    "24412a00000005020000000000000000200000000000004e0000000000000059000000000000000173746174652074776f34"
    "d0e9c208000000060100000000000000f3f938f7";

Digest32 filled(uint8_t byte) {
  Digest32 digest;
  digest.fill(byte);
  return digest;
}

CheckpointHeader sample_header() {
  return {.plan_digest = filled(0x11),
          .batch_digest = filled(0x22),
          .has_car = true,
          .car_inode = 7,
          .spool_inode = 8,
          .file_table_inode = 9};
}

CheckpointSource source_of(const std::vector<uint8_t>& log) {
  return [&log](MutableByteSpan target, uint64_t offset_bytes) -> Result<size_t> {
    const size_t count = std::min<uint64_t>(target.size(), log.size() - std::min<uint64_t>(log.size(), offset_bytes));
    std::copy_n(log.begin() + static_cast<std::ptrdiff_t>(offset_bytes), count, target.begin());
    return count;
  };
}

std::optional<CheckpointSummary> scan(const std::vector<uint8_t>& log) {
  const auto summary = scan_checkpoint(source_of(log), log.size());
  EXPECT_TRUE(summary.has_value()) << summary.error().message;
  return summary ? *summary : std::nullopt;
}

ClassStore store_of(uint32_t class_count) {
  return std::move(*ClassStore::create(class_count, piecework::testing::TempDir().path()));
}

TEST(CheckpointLog, IsEncodedAsTheIndependentEncoderDoes) {
  CheckpointEncoder encoder;
  encoder.add_header(sample_header());
  encoder.add_boot({"boot-1", "host-1"});
  encoder.add_classes(std::vector<ClassPut>{{2, {filled(0x33), 59, 100, 1, 0}}});
  encoder.add_roots(std::vector<SegmentRoot>{{5, filled(0x44)}});
  PieceCheckpoint checkpoint{.car_bytes = 4096, .spool_bytes = 77, .file_table_bytes = 88};
  checkpoint.state = as_bytes("state one");
  encoder.add_state(1, checkpoint);
  checkpoint = {.car_bytes = 8192, .spool_bytes = 78, .file_table_bytes = 89, .is_complete = true};
  checkpoint.state = as_bytes("state two");
  encoder.add_state(2, checkpoint);
  encoder.add_mark(1);
  EXPECT_EQ(to_hex(encoder.bytes()), kLog);
}

TEST(CheckpointLog, IsReadBack) {
  const std::vector<uint8_t> log = hex(kLog);
  const auto summary = scan(log);
  ASSERT_TRUE(summary && summary->last && summary->marked);
  EXPECT_EQ(summary->header, sample_header());
  EXPECT_EQ(summary->host.boot_id, "boot-1");
  EXPECT_EQ(summary->last->number, 2u);
  EXPECT_TRUE(summary->last->is_complete);
  EXPECT_EQ(summary->marked->number, 1u);
  EXPECT_EQ(summary->believed({"boot-1", "host-1"})->number, 2u);
  EXPECT_EQ(summary->believed({"boot-2", "host-1"})->number, 1u);
  EXPECT_EQ(summary->believed({"", "host-1"})->number, 1u);

  ClassStore classes = store_of(2);
  const auto point = load_checkpoint(source_of(log), *summary->marked, classes);
  ASSERT_TRUE(point.has_value()) << point.error().message;
  EXPECT_EQ(point->car_bytes, 4096u);
  EXPECT_EQ(point->spool_bytes, 77u);
  EXPECT_EQ(point->file_table_bytes, 88u);
  EXPECT_FALSE(point->is_complete);
  EXPECT_EQ(as_text(point->state), "state one");
  ASSERT_EQ(point->roots.size(), 1u);
  EXPECT_EQ(point->roots[0].segment, 5u);
  EXPECT_EQ(classes.get(2)->end_bytes, 100u);
}

TEST(CheckpointLog, EndsWhereTheChainDoes) {
  const std::vector<uint8_t> log = hex(kLog);
  const auto whole = scan(log);
  for (size_t length = 0; length < log.size(); ++length) {
    const auto torn = scan({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(length)});
    EXPECT_EQ(torn && torn->last && torn->last->number == 2, length >= whole->last->end_bytes) << length;
    EXPECT_EQ(torn && torn->last.has_value(), length >= whole->marked->end_bytes) << length;
    EXPECT_FALSE(torn && torn->marked) << length;
  }
  for (size_t at = 0; at < log.size(); ++at) {
    std::vector<uint8_t> damaged = log;
    damaged[at] ^= 0x40;
    const auto found = scan(damaged);
    EXPECT_EQ(found && found->last && found->last->number == 2, at >= whole->last->end_bytes) << at;
    EXPECT_EQ(found && found->last.has_value(), at >= whole->marked->end_bytes) << at;
  }
}

TEST(CheckpointLog, RecordsOfAnotherLogDoNotCount) {
  std::vector<uint8_t> log = hex(kLog);
  const auto whole = scan(log);
  // What is left of a longer log behind a shorter one: valid by itself, but not in this chain.
  CheckpointEncoder other;
  other.add_header({});
  other.add_boot({"boot-1", "host-1"});
  std::vector<uint8_t> mixed(other.bytes().begin(), other.bytes().end());
  mixed.insert(mixed.end(), log.begin() + static_cast<std::ptrdiff_t>(whole->marked->begin_bytes), log.end());
  EXPECT_FALSE(scan(mixed)->last);
}

TEST(CheckpointLog, AnotherVersionIsRefused) {
  CheckpointEncoder encoder;
  std::vector<uint8_t> payload;
  StateWriter writer(payload);
  writer.raw(as_bytes("PWCHECK1"));
  writer.integer<uint32_t>(kCheckpointVersion + 1);
  encoder.add(CheckpointRecordKind::kHeader, payload);
  const std::vector<uint8_t> log(encoder.bytes().begin(), encoder.bytes().end());
  const auto summary = scan_checkpoint(source_of(log), log.size());
  ASSERT_FALSE(summary.has_value());
  EXPECT_EQ(summary.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(summary.error().side, ErrorSide::kConfig);
}

TEST(CheckpointLog, EntriesOutOfRangeAreRefused) {
  const std::vector<uint8_t> log = hex(kLog);
  ClassStore too_small = store_of(1);
  const auto point = load_checkpoint(source_of(log), *scan(log)->last, too_small);
  ASSERT_FALSE(point.has_value());
  EXPECT_EQ(point.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(point.error().side, ErrorSide::kConfig);
}

}  // namespace
}  // namespace piecework::engine
