// dag-pb: the exact bytes of encoders, and each form that a strict decoder must refuse or accept.
#include "engine/codec/dag_pb.h"

#include <gtest/gtest.h>

#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

using Bytes = std::vector<uint8_t>;

using testing::hex;

// A CIDv1 of raw bytes: 36 bytes, so 0a 24 before it.
const std::string kCidHex = "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kHash = "0a24" + kCidHex;
// A PBLink with empty name and tsize 5: 38 + 2 + 2 bytes.
const std::string kLink = "122a" + kHash + "12001805";

TEST(DagPb, EncodesALinkWithItsEmptyName) {
  const Bytes cid = hex(kCidHex);
  Bytes link(pb_link_bytes(cid.size(), 0, 5));
  EXPECT_EQ(encode_pb_link(link.data(), cid, "", "", 5), link.data() + link.size());
  EXPECT_EQ(to_hex(link), kLink);
}

TEST(DagPb, EncodesNamesInTwoPartsAndLargeTsizes) {
  const Bytes cid = hex(kCidHex);
  for (const uint64_t tsize : {uint64_t{0}, uint64_t{127}, uint64_t{128}, UINT64_MAX}) {
    const std::string name(200, 'x');
    Bytes link(pb_link_bytes(cid.size(), 2 + name.size(), tsize));
    ASSERT_EQ(encode_pb_link(link.data(), cid, "7F", name, tsize), link.data() + link.size());
    const PbNode node = decode_pb_node(link).value();
    ASSERT_EQ(node.link_count, 1u);
    EXPECT_EQ(node.links().begin()->name, "7F" + name);
    EXPECT_EQ(node.links().begin()->tsize, tsize);
    EXPECT_EQ(to_hex(node.links().begin()->cid.bytes), kCidHex);
  }
}

TEST(DagPb, ABlockOfNoBytesIsANode) {
  const PbNode node = decode_pb_node({}).value();
  EXPECT_EQ(node.link_count, 0u);
  EXPECT_FALSE(node.data);
  EXPECT_EQ(node.links().begin(), node.links().end());
}

TEST(DagPb, AcceptsDataOnEitherSideOfTheLinks) {
  for (const std::string& block : {kLink + kLink + "0a020801", "0a020801" + kLink + kLink}) {
    const Bytes bytes = hex(block);
    const PbNode node = decode_pb_node(bytes).value();
    EXPECT_EQ(node.link_count, 2u);
    EXPECT_EQ(to_hex(node.data.value()), "0801");
    size_t walked = 0;
    for (const PbLink& link : node.links()) {
      EXPECT_EQ(link.tsize, 5u);
      ++walked;
    }
    EXPECT_EQ(walked, 2u);
  }
}

TEST(DagPb, AcceptsLinksWithoutNameOrTsizeAndLongVarints) {
  EXPECT_TRUE(decode_pb_node(hex("1226" + kHash)));
  EXPECT_TRUE(decode_pb_node(hex("0a82000801"))) << "protobuf lengths need not be minimal";
}

TEST(DagPb, RefusesWhatTheSpecificationForbids) {
  const struct {
    const char* why;
    std::string block;
  } kCases[] = {
      {"Name before Hash", "12281200" + kHash},
      {"Tsize before Name", "122a" + kHash + "18051200"},
      {"Hash twice", "124c" + kHash + kHash},
      {"Name twice", "122a" + kHash + "12001200"},
      {"no Hash", "12021200"},
      {"empty link", "1200"},
      {"Hash is no CID", "12040a020155"},
      {"Hash with trailing byte", "12270a25" + kCidHex + "00"},
      {"unknown field in a link", "1228" + kHash + "2001"},
      {"Tsize as bytes", "1228" + kHash + "1a00"},
      {"Hash as varint", "12020801"},
      {"unknown field in the node", "3801"},
      {"Data as varint", "0801"},
      {"two Data fields", "0a000a00"},
      {"links on both sides of Data", kLink + "0a00" + kLink},
      {"length past the end", "0a05080112"},
      {"length of 2^63", "0affffffffffffffff7f"},
      {"varint of eleven bytes", "122a" + kHash + "18ffffffffffffffffffff01"},
      {"varint past 64 bits", "1231" + kHash + "18ffffffffffffffffff02"},
      {"a lone tag", "12"},
      {"field number 0", "0200"},
      {"group wire type", "0b"},
  };
  for (const auto& c : kCases) {
    const Result<PbNode> node = decode_pb_node(hex(c.block));
    ASSERT_FALSE(node) << c.why;
    EXPECT_EQ(node.error().code, ErrorCode::kCorrupt) << c.why;
  }
}

TEST(DagPb, NoPrefixOfANodeReadsPastItsEnd) {
  const Bytes block = hex(kLink + kLink + "0a020801");
  for (size_t length = 0; length < block.size(); ++length) {
    const Bytes prefix(block.begin(), block.begin() + static_cast<ptrdiff_t>(length));  // its own allocation: ASan sees
    const bool whole_fields = length == 0 || length == 44 || length == 88;
    EXPECT_EQ(decode_pb_node(prefix).has_value(), whole_fields) << length;
  }
}

}  // namespace
}  // namespace piecework::engine
