// Encoders of UnixFS Data messages; see unixfs.h. Decoding is in unixfs_decode.cc, the rules of HAMT shards in hamt.cc.
#include <bit>
#include <cstring>

#include "engine/codec/unixfs.h"

namespace piecework::engine {
namespace {

constexpr uint8_t kTagType = 0x08;
constexpr uint8_t kTagData = 0x12;
constexpr uint8_t kTagFileSize = 0x18;
constexpr uint8_t kTagBlockSize = 0x20;
constexpr uint8_t kTagHashType = 0x28;
constexpr uint8_t kTagFanout = 0x30;
static_assert(kHamtFanout == 256 && kHashMurmur3X64_64 == 0x22, "the last five bytes of a shard: 28 22 30 80 02");

uint8_t* put_type(uint8_t* target, UnixfsType type) {
  *target++ = kTagType;
  *target++ = static_cast<uint8_t>(type);
  return target;
}

uint8_t* put_varint_field(uint8_t* target, uint8_t tag, uint64_t value) {
  *target++ = tag;
  return encode_varint(target, value);
}

}  // namespace

uint8_t* encode_unixfs_directory(uint8_t* target) { return put_type(target, UnixfsType::kDirectory); }

uint8_t* encode_unixfs_leaf_prefix(uint8_t* target, uint64_t content_bytes) {
  target = put_type(target, UnixfsType::kFile);
  return content_bytes == 0 ? target : put_varint_field(target, kTagData, content_bytes);
}

uint8_t* encode_unixfs_leaf_suffix(uint8_t* target, uint64_t content_bytes) {
  return put_varint_field(target, kTagFileSize, content_bytes);
}

uint8_t* encode_unixfs_file_head(uint8_t* target, uint64_t total_bytes) {
  return put_varint_field(put_type(target, UnixfsType::kFile), kTagFileSize, total_bytes);
}

uint8_t* encode_unixfs_block_size(uint8_t* target, uint64_t child_content_bytes) {
  return put_varint_field(target, kTagBlockSize, child_content_bytes);
}

uint8_t* encode_unixfs_symlink(uint8_t* target, std::string_view target_path) {
  target = put_varint_field(put_type(target, UnixfsType::kSymlink), kTagData, target_path.size());
  if (!target_path.empty()) std::memcpy(target, target_path.data(), target_path.size());
  return target + target_path.size();
}

size_t HamtBitfield::trimmed_bytes() const {
  for (size_t word = words_.size(); word > 0; --word) {
    if (words_[word - 1] != 0) return (word - 1) * 8 + (static_cast<size_t>(std::bit_width(words_[word - 1])) + 7) / 8;
  }
  return 0;
}

uint8_t* HamtBitfield::encode(uint8_t* target) const {
  for (size_t i = trimmed_bytes(); i > 0; --i) {
    *target++ = static_cast<uint8_t>(words_[(i - 1) / 8] >> (8 * ((i - 1) % 8)));
  }
  return target;
}

uint8_t* encode_unixfs_hamt(uint8_t* target, const HamtBitfield& bitfield) {
  target = put_varint_field(put_type(target, UnixfsType::kHamtShard), kTagData, bitfield.trimmed_bytes());
  target = bitfield.encode(target);
  target = put_varint_field(target, kTagHashType, kHashMurmur3X64_64);
  return put_varint_field(target, kTagFanout, kHamtFanout);
}

std::array<char, kHamtPrefixBytes> hamt_prefix(uint8_t bucket) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {kDigits[bucket >> 4], kDigits[bucket & 15]};
}

}  // namespace piecework::engine
