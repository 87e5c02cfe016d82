// The rules of HAMT shards on reading; see unixfs.h. Source: formats.md 6; CVE-2023-23625, CVE-2023-23626,
// CVE-2023-23631 are what happens without them.
#include <fmt/format.h>

#include <bit>

#include "engine/codec/murmur3.h"
#include "engine/codec/unixfs.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kHamtFanoutMin = 8;

tl::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "HAMT shard: " + std::move(what));
}

std::optional<unsigned> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return std::nullopt;
}

// Bit i of a big-endian bitfield: the lowest bit of the last byte is bucket 0.
bool bitfield_test(ByteSpan bitfield, unsigned bucket) {
  const size_t byte_from_end = bucket / 8;
  return byte_from_end < bitfield.size() && (bitfield[bitfield.size() - 1 - byte_from_end] >> (bucket % 8) & 1) != 0;
}

size_t bitfield_popcount(ByteSpan bitfield) {
  size_t count = 0;
  for (const uint8_t byte : bitfield) count += static_cast<size_t>(std::popcount(byte));
  return count;
}

Result<HamtShape> check_parameters(const UnixfsData& data) {
  if (data.hash_type != kHashMurmur3X64_64) {
    return corrupt(fmt::format("hashType {:#x}, expected 0x22 (murmur3-x64-64)", data.hash_type.value_or(0)));
  }
  const uint64_t fanout = data.fanout.value_or(0);
  if (!std::has_single_bit(fanout) || fanout < kHamtFanoutMin || fanout > kHamtFanoutMax) {
    return corrupt(fmt::format("fanout {}, expected a power of two in {}..{}", fanout, kHamtFanoutMin, kHamtFanoutMax));
  }
  HamtShape shape;
  shape.fanout = static_cast<unsigned>(fanout);
  shape.bits_per_level = static_cast<unsigned>(std::countr_zero(fanout));
  shape.prefix_bytes = (static_cast<size_t>(std::bit_width(fanout - 1)) + 3) / 4;
  return shape;
}

}  // namespace

Result<HamtShape> check_hamt_shard(const PbNode& node, const UnixfsData& data) {
  PIECEWORK_ASSIGN(const HamtShape shape, check_parameters(data));
  const ByteSpan bitfield = data.data.value_or(ByteSpan{});
  if (bitfield.size() > shape.fanout / 8) {
    return corrupt(fmt::format("bitfield of {} bytes for fanout {}", bitfield.size(), shape.fanout));
  }
  if (bitfield_popcount(bitfield) != node.link_count) {
    return corrupt(fmt::format("{} bits set for {} links", bitfield_popcount(bitfield), node.link_count));
  }
  unsigned next_bucket = 0;
  for (const PbLink& link : node.links()) {
    const std::optional<unsigned> bucket = hamt_bucket_of_prefix(link.name, shape);
    if (!bucket) return corrupt(fmt::format("link name \"{}\" has no bucket prefix", printable(link.name)));
    if (!bitfield_test(bitfield, *bucket)) return corrupt(fmt::format("the bit of bucket {:02X} is not set", *bucket));
    if (*bucket < next_bucket) return corrupt(fmt::format("bucket {:02X} twice or out of order", *bucket));
    next_bucket = *bucket + 1;
  }
  return shape;
}

std::optional<unsigned> hamt_bucket_of_prefix(std::string_view link_name, const HamtShape& shape) {
  if (link_name.size() < shape.prefix_bytes) return std::nullopt;
  unsigned bucket = 0;
  for (const char digit : link_name.substr(0, shape.prefix_bytes)) {
    const std::optional<unsigned> value = hex_value(digit);
    if (!value) return std::nullopt;
    bucket = bucket << 4 | *value;
  }
  if (bucket >= shape.fanout) return std::nullopt;
  return bucket;
}

unsigned hamt_bucket_of_name(std::string_view name, unsigned level, const HamtShape& shape) {
  const unsigned bits_used = (level + 1) * shape.bits_per_level;
  PIECEWORK_CHECK(bits_used <= 64);
  return static_cast<unsigned>(murmur3_x64_64(name) >> (64 - bits_used)) & (shape.fanout - 1);
}

}  // namespace piecework::engine
