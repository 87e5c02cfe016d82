// Records of a plan as bytes: what they carry, what decides a digest, and what no plan holds.
#include "engine/plan/record_codec.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/codec/cid.h"

namespace piecework::engine {
namespace {

const std::vector<uint8_t> kInlineCid = {0x01, 0x55, 0x00, 0x03, 'a', 'b', 'c'};

std::vector<uint8_t> sha256_cid_of(std::string_view data) {
  const Cid cid = sha256_cid(1, kCodecRaw, kernels::sha256(as_bytes(data)));
  return {cid.bytes().begin(), cid.bytes().end()};
}

LayoutRecord block_record(ByteSpan cid, uint64_t block_bytes) {
  LayoutRecord record{.kind = RecordKind::kBlock, .name = "name", .block_bytes = block_bytes};
  record.stored = {.role = StoredBlock::Role::kFile, .cid = cid, .source_index = 7, .place_offset_bytes = 1234};
  return record;
}

std::vector<uint8_t> encoded(const LayoutRecord& record, Digest32* digest = nullptr) {
  std::vector<uint8_t> bytes;
  kernels::Sha256 hasher;
  encode_record(record, bytes, hasher);
  if (digest != nullptr) *digest = hasher.finish();
  return bytes;
}

bool decodes(ByteSpan bytes) {
  RecordDecoder decoder(bytes);
  kernels::Sha256 hasher;
  return decoder.next(hasher).has_value() && decoder.at_end();
}

TEST(RecordCodec, BlocksOfAnyNumbers) {
  const std::vector<uint8_t> cid = sha256_cid_of("x");
  LayoutRecord record = block_record(cid, 1);
  record.stored.is_dag_root = true;
  record.tsize = record.file_bytes = UINT64_MAX;  // a DAG may say anything about itself
  Digest32 digest{};
  const std::vector<uint8_t> bytes = encoded(record, &digest);
  RecordDecoder decoder(bytes);
  kernels::Sha256 hasher;
  const auto decoded = decoder.next(hasher);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->tsize, UINT64_MAX);
  EXPECT_EQ(decoded->file_bytes, UINT64_MAX);
  EXPECT_EQ(decoded->stored.source_index, 7u);
  EXPECT_EQ(decoded->stored.place_offset_bytes, 1234u);
  EXPECT_EQ(hasher.finish(), digest);
}

TEST(RecordCodec, APlaceDecidesNoBytes) {
  const std::vector<uint8_t> cid = sha256_cid_of("x");
  LayoutRecord record = block_record(cid, 1);
  Digest32 here{};
  encoded(record, &here);
  record.stored.place_offset_bytes = 99;
  Digest32 there{};
  encoded(record, &there);
  EXPECT_EQ(here, there);
  record.block_bytes = 2;
  encoded(record, &there);
  EXPECT_NE(here, there);
}

TEST(RecordCodec, InlineBlocksAreWhatTheirCidsHold) {
  LayoutRecord record = block_record(kInlineCid, 3);
  record.stored.is_inline = true;
  EXPECT_TRUE(decodes(encoded(record)));
  record.block_bytes = 250;  // would be copied from before the CID
  EXPECT_FALSE(decodes(encoded(record)));
  record = block_record(kInlineCid, 3);
  EXPECT_FALSE(decodes(encoded(record))) << "an identity CID that is not inline";
  const std::vector<uint8_t> cid = sha256_cid_of("x");
  record = block_record(cid, 1);
  record.stored.is_inline = true;
  EXPECT_FALSE(decodes(encoded(record))) << "inline without an identity CID";
}

TEST(RecordCodec, PartsOfFilesAndWhatAJoinLeavesExternal) {
  LayoutRecord record{.kind = RecordKind::kFilePart, .name = "00000000000000001000", .file_bytes = 123456};
  record.part = {2, 7};
  record.mtime_ns = -5;
  Digest32 digest{};
  const std::vector<uint8_t> bytes = encoded(record, &digest);
  kernels::Sha256 hasher;
  RecordDecoder decoder(bytes);
  const auto decoded = decoder.next(hasher);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->part, record.part);
  EXPECT_EQ(decoded->file_bytes, record.file_bytes);
  EXPECT_EQ(decoded->mtime_ns, record.mtime_ns);
  EXPECT_EQ(hasher.finish(), digest);
  record.mtime_ns = -4;  // nobody has read the content
  Digest32 other{};
  encoded(record, &other);
  EXPECT_NE(other, digest);

  const std::array<NodeMark, 2> marks{NodeMark{}, NodeMark{NodeMark::Kind::kExternal, 1}};
  LayoutRecord join{.kind = RecordKind::kFile, .name = "large", .file_bytes = 123456, .marks = marks};
  const std::vector<uint8_t> join_bytes = encoded(join);
  RecordDecoder join_decoder(join_bytes);
  const auto joined = join_decoder.next(hasher);
  ASSERT_TRUE(joined) << joined.error().message;
  ASSERT_EQ(joined->marks.size(), 2u);
  EXPECT_EQ(joined->marks[1].kind, NodeMark::Kind::kExternal);
  EXPECT_EQ(joined->marks[1].class_index, 1u);
}

TEST(RecordCodec, NoPrefixOfARecordDecodes) {
  const std::vector<uint8_t> cid = sha256_cid_of("x");
  const std::vector<uint8_t> bytes = encoded(block_record(cid, 1));
  for (size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(decodes(ByteSpan(bytes).first(length)));
  EXPECT_TRUE(decodes(bytes));
}

}  // namespace
}  // namespace piecework::engine
