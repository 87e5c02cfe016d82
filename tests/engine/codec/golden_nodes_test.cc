// Encoders against nodes of other implementations: every block of the golden CARs is decoded, encoded again with our
// encoders and lengths, and must come out byte for byte; and its digest must be that of its CID.
#include <gtest/gtest.h>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"
#include "tests/engine/codec/golden_cars.h"
#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

// What a Buffer's encoders write must be what its length function promised.
class Buffer {
 public:
  template <class Encode>
  void write(size_t expected_bytes, Encode encode) {
    const size_t begin = bytes_.size();
    bytes_.resize(begin + expected_bytes);
    const uint8_t* end = encode(bytes_.data() + begin);
    EXPECT_EQ(end, bytes_.data() + bytes_.size());
  }
  void append(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  ByteSpan bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

void encode_leaf(Buffer& message, ByteSpan content) {
  const uint64_t count = content.size();
  message.write(unixfs_leaf_prefix_bytes(count), [&](uint8_t* at) { return encode_unixfs_leaf_prefix(at, count); });
  message.append(content);
  message.write(unixfs_leaf_suffix_bytes(count), [&](uint8_t* at) { return encode_unixfs_leaf_suffix(at, count); });
  EXPECT_EQ(message.bytes().size(), unixfs_leaf_bytes(count));
}

void encode_inner_file(Buffer& message, const UnixfsData& data) {
  const uint64_t total = data.file_bytes.value();
  message.write(unixfs_file_head_bytes(total), [&](uint8_t* at) { return encode_unixfs_file_head(at, total); });
  UnixfsBlockSizes sizes(data);
  for (uint64_t i = 0; i < data.block_size_count; ++i) {
    const uint64_t child = sizes.next();
    message.write(unixfs_block_size_bytes(child), [&](uint8_t* at) { return encode_unixfs_block_size(at, child); });
  }
}

void encode_shard(Buffer& message, const PbNode& node) {
  HamtBitfield bitfield;
  unsigned highest = 0;
  for (const PbLink& link : node.links()) {
    const std::optional<unsigned> bucket = hamt_bucket_of_prefix(link.name, HamtShape{});
    ASSERT_TRUE(bucket);
    bitfield.set(static_cast<uint8_t>(*bucket));
    highest = std::max(highest, *bucket);
    const auto prefix = hamt_prefix(static_cast<uint8_t>(*bucket));
    EXPECT_EQ(std::string_view(prefix.data(), prefix.size()), link.name.substr(0, kHamtPrefixBytes));
  }
  EXPECT_EQ(bitfield.trimmed_bytes(), hamt_bitfield_bytes(static_cast<uint8_t>(highest)));
  message.write(unixfs_hamt_bytes(bitfield.trimmed_bytes()),
                [&](uint8_t* at) { return encode_unixfs_hamt(at, bitfield); });
}

void encode_message(Buffer& message, const PbNode& node, const UnixfsData& data) {
  switch (data.type) {
    case UnixfsType::kDirectory:
      message.write(kUnixfsDirectoryBytes, encode_unixfs_directory);
      return;
    case UnixfsType::kFile:
      if (node.link_count == 0) return encode_leaf(message, data.data.value_or(ByteSpan{}));
      return encode_inner_file(message, data);
    case UnixfsType::kSymlink: {
      const std::string_view target = as_text(data.data.value());
      message.write(unixfs_symlink_bytes(target.size()),
                    [&](uint8_t* at) { return encode_unixfs_symlink(at, target); });
      return;
    }
    case UnixfsType::kHamtShard:
      return encode_shard(message, node);
    case UnixfsType::kRaw:
    case UnixfsType::kMetadata:
      FAIL() << "no golden CAR has such a node";
  }
}

std::vector<uint8_t> encode_again(ByteSpan block) {
  const PbNode node = decode_pb_node(block).value();
  const UnixfsData data = decode_unixfs(node.data.value()).value();
  EXPECT_TRUE(check_unixfs_node(node, data));
  Buffer out;
  for (const PbLink& link : node.links()) {
    const size_t split = std::min<size_t>(link.name.size(), 2);
    out.write(pb_link_bytes(link.cid.bytes.size(), link.name.size(), link.tsize), [&](uint8_t* at) {
      return encode_pb_link(at, link.cid.bytes, link.name.substr(0, split), link.name.substr(split), link.tsize);
    });
  }
  Buffer message;
  encode_message(message, node, data);
  const size_t message_bytes = message.bytes().size();
  out.write(pb_data_bytes(message_bytes) - message_bytes,
            [&](uint8_t* at) { return encode_pb_data_header(at, message_bytes); });
  out.append(message.bytes());
  return {out.bytes().begin(), out.bytes().end()};
}

TEST(GoldenNodes, EveryNodeIsEncodedAgainByteForByte) {
  size_t node_count = 0;
  for (const auto& path : testing::golden_car_paths()) {
    const testing::LoadedCar car = testing::load_car(path);
    for (const CarBlock& block : car.blocks) {
      ASSERT_TRUE(check_block_digest(block.cid, block.data)) << path << " " << cid_text(block.cid.bytes);
      if (block.cid.codec != kCodecDagPb) continue;
      ++node_count;
      ASSERT_EQ(to_hex(encode_again(block.data)), to_hex(block.data)) << path << " " << cid_text(block.cid.bytes);
    }
  }
  EXPECT_GT(node_count, 200u);
}

TEST(GoldenNodes, EveryHeaderIsEncodedAgainByteForByte) {
  for (const auto& path : testing::golden_car_paths()) {
    const testing::LoadedCar car = testing::load_car(path);
    const CarHeader header = decode_car_v1_header(car.header).value();
    ASSERT_EQ(header.roots.size(), 1u) << path;
    Buffer out;
    out.write(car_v1_header_bytes(header.roots[0].bytes.size()),
              [&](uint8_t* at) { return encode_car_v1_header(at, header.roots[0].bytes); });
    EXPECT_EQ(as_text(out.bytes()), car.bytes.substr(0, out.bytes().size())) << path;
    EXPECT_EQ(out.bytes().size(), header.roots[0].version == 0 ? 57u : 59u);
  }
}

TEST(GoldenNodes, ShardsAreEncodedAgainAndHoldEntriesOfTheirBuckets) {
  size_t entry_count = 0;
  const nlohmann::json vectors = testing::load_vectors("codec/hamt-shards.json");
  for (const auto& shard : vectors["shards"]) {
    const std::vector<uint8_t> block = testing::hex(shard["hex"].get<std::string>());
    const Cid cid = parse_cid(shard["cid"].get<std::string>()).value();
    ASSERT_TRUE(check_block_digest(cid.view(), block));
    EXPECT_EQ(to_hex(encode_again(block)), to_hex(block));
    const PbNode node = decode_pb_node(block).value();
    const HamtShape shape = check_hamt_shard(node, decode_unixfs(node.data.value()).value()).value();
    for (const PbLink& link : node.links()) {
      if (link.name.size() == shape.prefix_bytes) continue;
      ++entry_count;
      EXPECT_EQ(hamt_bucket_of_prefix(link.name, shape),
                hamt_bucket_of_name(link.name.substr(shape.prefix_bytes), shard["level"].get<unsigned>(), shape))
          << link.name;
    }
  }
  EXPECT_GT(entry_count, 20u);
}

}  // namespace
}  // namespace piecework::engine
