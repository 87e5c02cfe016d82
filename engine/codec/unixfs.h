// UnixFS v1: the Data message inside dag-pb nodes. Source: ipfs/specs unixfs.md, formats.md 3 and 6.
//
//   1 Type  2 Data  3 filesize  4 blocksizes (repeated, unpacked)  5 hashType  6 fanout  7 mode  8 mtime
//
//   directory        08 01
//   dag-pb leaf      08 02 12 <len> bytes 18 <len>          empty file: 08 02 18 00
//   file, inner      08 02 18 <total> (20 <block size>)*
//   symlink          08 04 12 <len> target                  no filesize
//   HAMT shard       08 05 12 <len> bitfield 28 22 30 80 02
//
// Lengths count the Data message alone; engine/codec/dag_pb.h wraps it. Encoders write into memory that the caller
// sized with the length functions and return the first byte after what they wrote.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/codec/dag_pb.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/base/varint.h"

namespace piecework::engine {

enum class UnixfsType : uint8_t { kRaw = 0, kDirectory = 1, kFile = 2, kMetadata = 3, kSymlink = 4, kHamtShard = 5 };

// ---- Encoding -------------------------------------------------------------------------------------------------------

inline constexpr size_t kUnixfsDirectoryBytes = 2;
uint8_t* encode_unixfs_directory(uint8_t* target);

// A dag-pb leaf of `content_bytes`: prefix, the content (the caller's), suffix. Of an empty file the prefix is "08 02"
// and the suffix "18 00".
constexpr size_t unixfs_leaf_prefix_bytes(uint64_t content_bytes) {
  return content_bytes == 0 ? 2 : 3 + varint_bytes(content_bytes);
}
constexpr size_t unixfs_leaf_suffix_bytes(uint64_t content_bytes) { return 1 + varint_bytes(content_bytes); }
constexpr uint64_t unixfs_leaf_bytes(uint64_t content_bytes) {
  return unixfs_leaf_prefix_bytes(content_bytes) + content_bytes + unixfs_leaf_suffix_bytes(content_bytes);
}
uint8_t* encode_unixfs_leaf_prefix(uint8_t* target, uint64_t content_bytes);
uint8_t* encode_unixfs_leaf_suffix(uint8_t* target, uint64_t content_bytes);

// An inner or root node of a file: the head is followed by one block size for each link, in order.
constexpr size_t unixfs_file_head_bytes(uint64_t total_bytes) { return 3 + varint_bytes(total_bytes); }
constexpr size_t unixfs_block_size_bytes(uint64_t child_content_bytes) { return 1 + varint_bytes(child_content_bytes); }
uint8_t* encode_unixfs_file_head(uint8_t* target, uint64_t total_bytes);
uint8_t* encode_unixfs_block_size(uint8_t* target, uint64_t child_content_bytes);

constexpr size_t unixfs_symlink_bytes(size_t target_path_bytes) {
  return 3 + varint_bytes(target_path_bytes) + target_path_bytes;
}
uint8_t* encode_unixfs_symlink(uint8_t* target, std::string_view target_path);

// ---- HAMT -----------------------------------------------------------------------------------------------------------

inline constexpr unsigned kHamtFanout = 256;
inline constexpr unsigned kHamtLevelsMax = 8;     // of 8 bits each in a 64-bit hash
inline constexpr size_t kHamtPrefixBytes = 2;     // hexadecimal digits before a name, at fanout 256
inline constexpr unsigned kHamtFanoutMax = 1024;  // of foreign shards, as in boxo

// Which buckets of a shard of fanout 256 hold something. Encoded big-endian with leading zero bytes trimmed: bucket 0
// is the lowest bit of the last byte.
class HamtBitfield {
 public:
  void set(uint8_t bucket) { words_[bucket / 64] |= uint64_t{1} << (bucket % 64); }
  bool test(uint8_t bucket) const { return (words_[bucket / 64] >> (bucket % 64) & 1) != 0; }
  // Bytes without the leading zero ones.
  size_t trimmed_bytes() const;
  uint8_t* encode(uint8_t* target) const;
  // 256 bits, bucket 0 lowest: for a checkpoint.
  std::array<uint64_t, 4>& words() { return words_; }
  const std::array<uint64_t, 4>& words() const { return words_; }

 private:
  std::array<uint64_t, 4> words_{};
};

// Length of the bitfield whose highest set bucket this is.
constexpr size_t hamt_bitfield_bytes(uint8_t highest_bucket) { return size_t{highest_bucket} / 8 + 1; }
constexpr size_t unixfs_hamt_bytes(size_t bitfield_bytes) {
  return 2 + 1 + varint_bytes(bitfield_bytes) + bitfield_bytes + 5;
}
uint8_t* encode_unixfs_hamt(uint8_t* target, const HamtBitfield& bitfield);

// The two upper-case hexadecimal digits of a bucket at fanout 256.
std::array<char, kHamtPrefixBytes> hamt_prefix(uint8_t bucket);

// ---- Decoding -------------------------------------------------------------------------------------------------------

struct UnixfsMtime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

// The fields of a Data message where they stand; valid as long as the block.
struct UnixfsData {
  UnixfsType type = UnixfsType::kRaw;
  std::optional<ByteSpan> data;
  std::optional<uint64_t> file_bytes;  // filesize
  uint64_t block_size_count = 0;
  uint64_t block_size_sum = 0;
  std::optional<uint64_t> hash_type;
  std::optional<uint64_t> fanout;
  std::optional<uint32_t> mode;
  std::optional<UnixfsMtime> mtime;
  ByteSpan message;  // of which UnixfsBlockSizes reads the block sizes again

  size_t content_bytes() const { return data ? data->size() : 0; }
};

// Decodes a Data message: refuses a missing or unknown Type, a singular field twice, a wrong wire type, block sizes
// whose sum passes 64 bits, an mtime without seconds or with nanoseconds outside 1..999,999,999. Skips unknown fields,
// as protobuf does. Errors: kCorrupt, with the offset in the message.
Result<UnixfsData> decode_unixfs(ByteSpan message);

// The block sizes of a decoded message, one after the other, packed or not. Thread-compatible.
class UnixfsBlockSizes {
 public:
  explicit UnixfsBlockSizes(const UnixfsData& data);
  // REQUIRES: called at most block_size_count times.
  uint64_t next();

 private:
  ByteSpan rest_;
  ByteSpan packed_;
};

// Checks a node against its Data message: as many block sizes as links and a filesize that is their sum plus the inline
// data, no names on the links of a file; no links on a symlink; the rules of check_hamt_shard. Errors: kCorrupt.
Status check_unixfs_node(const PbNode& node, const UnixfsData& data);

// A HAMT shard's shape, checked: hash murmur3, fanout a power of two in 8..1024, as many set bits as links, every
// link's prefix names a set bit, in order and none twice. Errors: kCorrupt.
struct HamtShape {
  unsigned fanout = kHamtFanout;
  unsigned bits_per_level = 8;
  size_t prefix_bytes = kHamtPrefixBytes;
};
Result<HamtShape> check_hamt_shard(const PbNode& node, const UnixfsData& data);

// The bucket that a link's prefix names, upper or lower case; nullopt where it is no prefix of this fanout.
std::optional<unsigned> hamt_bucket_of_prefix(std::string_view link_name, const HamtShape& shape);
// The bucket that `name` belongs in at `level` (0 = root shard). REQUIRES: (level + 1) * bits_per_level <= 64.
unsigned hamt_bucket_of_name(std::string_view name, unsigned level, const HamtShape& shape);

}  // namespace piecework::engine
