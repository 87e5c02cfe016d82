// UnixFS Data messages: the exact bytes of formats.md 3, and each rule of decoding.
#include "engine/codec/unixfs.h"

#include <gtest/gtest.h>

#include "engine/codec/car_block.h"
#include "kernels/sha256/sha256.h"
#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

using Bytes = std::vector<uint8_t>;

using testing::hex;

const std::string kHash = "0a2401551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
std::string link_hex(const std::string& name_hex = "") {
  const auto byte = [](size_t value) { return to_hex(Bytes{static_cast<uint8_t>(value)}); };
  const size_t name_bytes = name_hex.size() / 2;
  return "12" + byte(42 + name_bytes) + kHash + "12" + byte(name_bytes) + name_hex + "1805";
}

// Checks a whole block: node, message and the rules between them.
Status check(const std::string& block_hex) {
  const Bytes block = hex(block_hex);
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(block));
  PIECEWORK_ASSIGN(const UnixfsData data, decode_unixfs(node.data.value_or(ByteSpan{})));
  return check_unixfs_node(node, data);
}

std::string with_data(const std::string& links, const std::string& message) {
  return links + "0a" + to_hex(Bytes{static_cast<uint8_t>(message.size() / 2)}) + message;
}

std::string dag_pb_cid_v0(const Bytes& message) {
  Bytes block(pb_data_bytes(message.size()));
  uint8_t* end = encode_pb_data_header(block.data(), message.size());
  std::copy(message.begin(), message.end(), end);
  return sha256_cid(0, kCodecDagPb, kernels::sha256(block)).text();
}

TEST(Unixfs, EncodesThePublishedEmptyDirectoryAndEmptyFile) {
  Bytes directory(kUnixfsDirectoryBytes);
  encode_unixfs_directory(directory.data());
  EXPECT_EQ(dag_pb_cid_v0(directory), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
  Bytes file(unixfs_leaf_bytes(0));
  encode_unixfs_leaf_suffix(encode_unixfs_leaf_prefix(file.data(), 0), 0);
  EXPECT_EQ(to_hex(file), "08021800");
  EXPECT_EQ(dag_pb_cid_v0(file), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
}

TEST(Unixfs, EncodesSymlinksWithoutFilesize) {
  Bytes message(unixfs_symlink_bytes(3));
  EXPECT_EQ(encode_unixfs_symlink(message.data(), "a/b"), message.data() + message.size());
  EXPECT_EQ(to_hex(message), "08041203612f62");
}

TEST(Unixfs, BitfieldsAreBigEndianWithoutLeadingZeros) {
  const struct {
    std::vector<uint8_t> buckets;
    std::string bytes;
  } kCases[] = {{{0}, "01"},
                {{7}, "80"},
                {{8}, "0100"},
                {{0, 9}, "0201"},
                {{63, 64}, "018000000000000000"},
                {{255}, "80" + std::string(62, '0')}};
  for (const auto& c : kCases) {
    HamtBitfield bitfield;
    for (const uint8_t bucket : c.buckets) bitfield.set(bucket);
    Bytes bytes(bitfield.trimmed_bytes());
    bitfield.encode(bytes.data());
    EXPECT_EQ(to_hex(bytes), c.bytes);
    EXPECT_EQ(bytes.size(), hamt_bitfield_bytes(c.buckets.back()));
    for (unsigned bucket = 0; bucket < 256; ++bucket) {
      const bool is_set = std::find(c.buckets.begin(), c.buckets.end(), bucket) != c.buckets.end();
      EXPECT_EQ(bitfield.test(static_cast<uint8_t>(bucket)), is_set);
    }
  }
}

TEST(Unixfs, ReadsBlockSizesPackedAndNot) {
  for (const std::string& sizes :
       {std::string("200520860120ffffffffffffff7f"), std::string("220b058601ffffffffffffff7f"),
        std::string("2005220a8601ffffffffffffff7f")}) {
    const Bytes message = hex("0802" + sizes);
    const UnixfsData data = decode_unixfs(message).value();
    ASSERT_EQ(data.block_size_count, 3u) << sizes;
    UnixfsBlockSizes reader(data);
    EXPECT_EQ(reader.next(), 5u);
    EXPECT_EQ(reader.next(), 134u);
    EXPECT_EQ(reader.next(), (uint64_t{1} << 56) - 1);
  }
}

TEST(Unixfs, AcceptsWhatIsValid) {
  const std::string two_links = link_hex() + link_hex();
  for (const std::string& block : {
           with_data(two_links, "0802180a20052005"), with_data(two_links, "080222020505"),
           with_data("", "080212036162631803"), with_data("", "0802"), with_data("", "080018001200"),
           with_data("", "0804120161"), with_data(link_hex("61"), "0801"),
           with_data("", "080138a403420708051501000000"),  // mode 0644, mtime with nanoseconds
           with_data("", "08024a0161"),                    // an unknown field
       }) {
    const Status status = check(block);
    EXPECT_TRUE(status) << block << ": " << status.error().message;
  }
}

TEST(Unixfs, RefusesWhatTheSpecificationForbids) {
  const std::string two_links = link_hex() + link_hex();
  const struct {
    const char* why;
    std::string block;
  } kCases[] = {
      {"no Type", with_data("", "1800")},
      {"unknown Type", with_data("", "0806")},
      {"Type twice", with_data("", "08020802")},
      {"Type as bytes", with_data("", "0a0102")},
      {"one blocksize for two links", with_data(two_links, "080218052005")},
      {"filesize is not the sum", with_data(two_links, "0802180b20052005")},
      {"filesize without the inline data", with_data("", "080212036162631802")},
      {"blocksizes pass 64 bits", with_data(two_links, "080220ffffffffffffffffff0120ffffffffffffffffff01")},
      {"a file's link has a name", with_data(link_hex("61"), "080218052005")},
      {"symlink with a link", with_data(link_hex(), "0804120161")},
      {"mtime without seconds", with_data("", "080142051501000000")},
      {"mtime of 0 nanoseconds", with_data("", "0801420708051500000000")},
      {"mtime of 10^9 nanoseconds", with_data("", "0801420708051500ca9a3b")},
      {"field past the end", with_data("", "08021205")},
  };
  for (const auto& c : kCases) {
    const Status status = check(c.block);
    ASSERT_FALSE(status) << c.why;
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt) << c.why;
  }
}

TEST(Unixfs, ChecksShards) {
  const std::string entry = link_hex("303161");  // "01a"
  EXPECT_TRUE(check(with_data(entry, "08051201022822308002")));
  const struct {
    const char* why;
    std::string block;
  } kCases[] = {
      {"another hash", with_data(entry, "08051201022812308002")},
      {"no hash", with_data(entry, "0805120102308002")},
      {"no fanout", with_data(entry, "08051201022822")},
      {"fanout 0", with_data(entry, "080512010228223000")},
      {"fanout 4", with_data(entry, "080512010228223004")},
      {"fanout 100", with_data(entry, "080512010228223064")},
      {"fanout 2048", with_data(entry, "08051201022822308010")},
      {"fanout 2^31", with_data(entry, "08051201022822308080808008")},
      {"bitfield longer than the fanout", with_data(entry, "08051202000228223008")},
      {"two bits for one link", with_data(entry, "08051201062822308002")},
      {"another bit", with_data(entry, "08051201042822308002")},
      {"prefix too short", with_data(link_hex("31"), "08051201022822308002")},
      {"prefix not hexadecimal", with_data(link_hex("3067"), "08051201022822308002")},
      {"the same bucket twice", with_data(entry + entry, "08051201062822308002")},
      {"buckets out of order", with_data(link_hex("303262") + entry, "08051201062822308002")},
  };
  for (const auto& c : kCases) EXPECT_FALSE(check(c.block)) << c.why;
}

TEST(Unixfs, BucketsFollowThePublishedHash) {
  // "470.txt" hashes to 006e88df5847e67c: bucket 00, then 6E (UnixFS specification's example).
  EXPECT_EQ(hamt_bucket_of_name("470.txt", 0, HamtShape{}), 0x00u);
  EXPECT_EQ(hamt_bucket_of_name("470.txt", 1, HamtShape{}), 0x6Eu);
  EXPECT_EQ(hamt_bucket_of_name("470.txt", 7, HamtShape{}), 0x7Cu);
  EXPECT_EQ(hamt_bucket_of_prefix("6E470.txt", HamtShape{}), 0x6Eu);
  EXPECT_EQ(hamt_bucket_of_prefix("6", HamtShape{}), std::nullopt);
}

}  // namespace
}  // namespace piecework::engine
