// Strict decoding of UnixFS Data messages and the rules between a node and its message; see unixfs.h.
#include <fmt/format.h>

#include "engine/codec/proto_wire.h"
#include "engine/codec/unixfs.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kFieldType = 1;
constexpr uint64_t kFieldData = 2;
constexpr uint64_t kFieldFileSize = 3;
constexpr uint64_t kFieldBlockSizes = 4;
constexpr uint64_t kFieldHashType = 5;
constexpr uint64_t kFieldFanout = 6;
constexpr uint64_t kFieldMode = 7;
constexpr uint64_t kFieldMtime = 8;
constexpr uint64_t kTypeMax = 5;
constexpr uint64_t kMtimeSeconds = 1;
constexpr uint64_t kMtimeNanoseconds = 2;
constexpr uint64_t kNanosecondsMax = 999'999'999;

tl::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("UnixFS: {}", what));
}

tl::unexpected<Error> corrupt_at(size_t offset_bytes, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("UnixFS at byte {}: {}", offset_bytes, what));
}

Result<UnixfsMtime> decode_mtime(ByteSpan message) {
  UnixfsMtime mtime;
  bool has_seconds = false;
  bool has_nanoseconds = false;
  ProtoReader reader(message);
  ProtoField field;
  while (reader.next(field)) {
    if (field.number == kMtimeSeconds) {
      if (field.type != WireType::kVarint || has_seconds) return corrupt("mtime: bad or repeated Seconds");
      mtime.seconds = static_cast<int64_t>(field.value);
      has_seconds = true;
    } else if (field.number == kMtimeNanoseconds) {
      if (field.type != WireType::kFixed32 || has_nanoseconds) return corrupt("mtime: bad or repeated nanoseconds");
      if (field.value == 0 || field.value > kNanosecondsMax) {
        return corrupt(fmt::format("mtime: {} nanoseconds, expected 1..{}", field.value, kNanosecondsMax));
      }
      mtime.nanoseconds = static_cast<uint32_t>(field.value);
      has_nanoseconds = true;
    }
  }
  if (reader.fault() != nullptr) return corrupt(fmt::format("mtime: {}", reader.fault()));
  if (!has_seconds) return corrupt("mtime without Seconds");
  return mtime;
}

// Fills a UnixfsData field by field.
class MessageDecoder {
 public:
  explicit MessageDecoder(ByteSpan message) : reader_(message) { decoded_.message = message; }

  Result<UnixfsData> run() {
    ProtoField field;
    while (reader_.next(field)) PIECEWORK_TRY(take(field));
    if (reader_.fault() != nullptr) return corrupt_at(reader_.field_begin(), reader_.fault());
    if ((seen_ & 1u << kFieldType) == 0) return corrupt("no Type");
    return decoded_;
  }

 private:
  Status take(const ProtoField& field) {
    if (field.number == 0 || field.number > kFieldMtime) return {};  // unknown fields are skipped
    if (field.number == kFieldBlockSizes) return take_block_sizes(field);
    if ((seen_ & 1u << field.number) != 0) {
      return corrupt_at(reader_.field_begin(), fmt::format("field {} twice", field.number));
    }
    seen_ |= 1u << field.number;
    const bool is_bytes = field.number == kFieldData || field.number == kFieldMtime;
    if (field.type != (is_bytes ? WireType::kBytes : WireType::kVarint)) {
      return corrupt_at(reader_.field_begin(), fmt::format("wrong wire type of field {}", field.number));
    }
    return take_singular(field);
  }

  Status take_singular(const ProtoField& field) {
    switch (field.number) {
      case kFieldType:
        if (field.value > kTypeMax) return corrupt(fmt::format("unknown Type {}", field.value));
        decoded_.type = static_cast<UnixfsType>(field.value);
        return {};
      case kFieldData:
        decoded_.data = field.bytes;
        return {};
      case kFieldFileSize:
        decoded_.file_bytes = field.value;
        return {};
      case kFieldHashType:
        decoded_.hash_type = field.value;
        return {};
      case kFieldFanout:
        decoded_.fanout = field.value;
        return {};
      case kFieldMode:
        decoded_.mode = static_cast<uint32_t>(field.value);
        return {};
      default: {
        PIECEWORK_ASSIGN(decoded_.mtime, decode_mtime(field.bytes));
        return {};
      }
    }
  }

  // Unpacked from every known encoder; packed is the same to a protobuf decoder.
  Status take_block_sizes(const ProtoField& field) {
    if (field.type == WireType::kVarint) return add_block_size(field.value);
    if (field.type != WireType::kBytes) return corrupt_at(reader_.field_begin(), "wrong wire type of blocksizes");
    ProtoReader packed(field.bytes);
    while (!packed.at_end()) {
      uint64_t size_bytes = 0;
      if (!packed.read_varint(size_bytes)) return corrupt_at(reader_.field_begin(), "bad varint in blocksizes");
      PIECEWORK_TRY(add_block_size(size_bytes));
    }
    return {};
  }

  Status add_block_size(uint64_t size_bytes) {
    if (__builtin_add_overflow(decoded_.block_size_sum, size_bytes, &decoded_.block_size_sum)) {
      return corrupt("the sum of the blocksizes passes 64 bits");
    }
    ++decoded_.block_size_count;
    return {};
  }

  ProtoReader reader_;
  UnixfsData decoded_;
  uint32_t seen_ = 0;  // bit n: field n
};

Status check_file(const PbNode& node, const UnixfsData& data) {
  if (data.block_size_count != node.link_count) {
    return corrupt(fmt::format("{} blocksizes for {} links", data.block_size_count, node.link_count));
  }
  uint64_t total_bytes = 0;
  if (__builtin_add_overflow(data.block_size_sum, data.content_bytes(), &total_bytes)) {
    return corrupt("the length of the file passes 64 bits");
  }
  if (data.file_bytes && *data.file_bytes != total_bytes) {
    return corrupt(fmt::format("filesize {}, but data and blocksizes make {}", *data.file_bytes, total_bytes));
  }
  for (const PbLink& link : node.links()) {
    if (!link.name.empty()) return corrupt(fmt::format("a file's link has the name \"{}\"", printable(link.name)));
  }
  return {};
}

}  // namespace

Result<UnixfsData> decode_unixfs(ByteSpan message) { return MessageDecoder(message).run(); }

UnixfsBlockSizes::UnixfsBlockSizes(const UnixfsData& data) : rest_(data.message) {}

uint64_t UnixfsBlockSizes::next() {
  for (;;) {
    if (!packed_.empty()) {
      ProtoReader packed(packed_);
      uint64_t size_bytes = 0;
      PIECEWORK_CHECK(packed.read_varint(size_bytes));  // decode_unixfs saw the same bytes
      packed_ = packed_.subspan(packed.offset_bytes());
      return size_bytes;
    }
    ProtoReader reader(rest_);
    ProtoField field;
    PIECEWORK_CHECK(reader.next(field));
    rest_ = rest_.subspan(reader.offset_bytes());
    if (field.number != kFieldBlockSizes) continue;
    if (field.type == WireType::kVarint) return field.value;
    packed_ = field.bytes;
  }
}

Status check_unixfs_node(const PbNode& node, const UnixfsData& data) {
  switch (data.type) {
    case UnixfsType::kRaw:
    case UnixfsType::kFile:
      return check_file(node, data);
    case UnixfsType::kSymlink:
      if (node.link_count != 0) return corrupt("a symlink with links");
      return {};
    case UnixfsType::kHamtShard:
      PIECEWORK_TRY(check_hamt_shard(node, data));
      return {};
    case UnixfsType::kDirectory:
    case UnixfsType::kMetadata:
      return {};
  }
  return {};
}

}  // namespace piecework::engine
