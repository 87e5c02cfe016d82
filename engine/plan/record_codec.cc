#include "engine/plan/record_codec.h"

#include "engine/codec/cid.h"
#include "engine/store/block_store.h"
#include "kernels/base/endian.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

enum Flags : uint8_t {
  kReference = 1 << 0,
  kShadow = 1 << 1,
  kHamt = 1 << 2,
  kHasBucket = 1 << 3,
  kHasContent = 1 << 4,
  kHasMarks = 1 << 5,
  kKnownFlags = (1 << 6) - 1,
};

// Of a block, beside its role.
enum BlockFlags : uint8_t {
  kRoleMask = 7,
  kDagRoot = 1 << 3,
  kFileData = 1 << 4,
  kUnread = 1 << 5,
  kInline = 1 << 6,
  kExternal = 1 << 7,  // alone
};

constexpr auto kLastKind = RecordKind::kFilePart;
constexpr auto kLastRole = StoredBlock::Role::kOther;
constexpr auto kLastExternal = StoredBlock::External::kKnown;
constexpr size_t kMtimeBytes = 8;

void append_varint(std::vector<uint8_t>& target, uint64_t value) {
  uint8_t bytes[10];
  target.insert(target.end(), bytes, encode_varint(bytes, value));
}

void append_text(std::vector<uint8_t>& target, std::string_view text) {
  append_varint(target, text.size());
  target.insert(target.end(), text.begin(), text.end());
}

uint8_t flags_of(const LayoutRecord& record) {
  uint8_t flags = 0;
  if (record.is_reference) flags |= kReference;
  if (record.is_shadow) flags |= kShadow;
  if (record.is_hamt) flags |= kHamt;
  if (record.bucket >= 0) flags |= kHasBucket;
  if (record.content != nullptr) flags |= kHasContent;
  if (!record.marks.empty()) flags |= kHasMarks;
  return flags;
}

// What a DAG says about itself may be any number, and a varint holds 63 bits.
void append_u64(std::vector<uint8_t>& target, uint64_t value) {
  uint8_t bytes[8];
  store_le(bytes, value);
  target.insert(target.end(), bytes, bytes + sizeof bytes);
}

bool has_file_bytes(const StoredBlock& block) {
  return block.role == StoredBlock::Role::kFile || block.role == StoredBlock::Role::kSymlink;
}

void append_external(std::vector<uint8_t>& target, const StoredBlock& block) {
  target.push_back(kExternal);
  append_text(target, as_text(block.cid));
  append_varint(target, static_cast<uint64_t>(block.external));
  append_varint(target, block.external_batch);
}

void append_block(std::vector<uint8_t>& target, const LayoutRecord& record) {
  const StoredBlock& block = record.stored;
  if (block.external != StoredBlock::External::kNo) return append_external(target, block);
  uint8_t head = static_cast<uint8_t>(block.role);
  if (block.is_dag_root) head |= kDagRoot;
  if (block.is_file_data) head |= kFileData;
  if (block.is_unread) head |= kUnread;
  if (block.is_inline) head |= kInline;
  target.push_back(head);
  append_text(target, as_text(block.cid));
  append_varint(target, record.block_bytes);
  append_varint(target, record.child_count);
  if (block.is_dag_root) append_u64(target, record.tsize);
  if (has_file_bytes(block)) append_u64(target, record.file_bytes);
  if (record.is_reference) append_varint(target, block.first_offset_bytes);
}

void append_place(std::vector<uint8_t>& target, const StoredBlock& block) {
  append_varint(target, block.source_index);
  append_varint(target, block.place_offset_bytes);
}

bool has_mtime(RecordKind kind) { return kind == RecordKind::kFile || kind == RecordKind::kFilePart; }

// Whether the file's mtime stands for bytes that nobody has read.
bool mtime_decides(const LayoutRecord& record) { return record.content == nullptr && record.file_bytes > 0; }

}  // namespace

void encode_record(const LayoutRecord& record, std::vector<uint8_t>& target, kernels::Sha256& digest) {
  const size_t begin = target.size();
  target.push_back(static_cast<uint8_t>(record.kind));
  target.push_back(flags_of(record));
  if (record.bucket >= 0) target.push_back(static_cast<uint8_t>(record.bucket));
  append_text(target, record.name);
  switch (record.kind) {
    case RecordKind::kDirectory:
    case RecordKind::kShard:
      append_varint(target, record.child_count);
      append_varint(target, record.block_bytes);
      append_u64(target, record.tsize);
      break;
    case RecordKind::kFile:
      append_varint(target, record.file_bytes);
      if (record.content != nullptr) target.insert(target.end(), record.content->begin(), record.content->end());
      break;
    case RecordKind::kSymlink:
      append_text(target, record.target);
      break;
    case RecordKind::kBlock:
      append_block(target, record);
      break;
    case RecordKind::kFilePart:
      append_varint(target, record.file_bytes);
      append_varint(target, record.part.level);
      append_varint(target, record.part.index);
      break;
  }
  append_varint(target, record.class_index);
  if (!record.marks.empty()) {
    append_varint(target, record.marks.size());
    for (const NodeMark& mark : record.marks) {
      append_varint(target, uint64_t{mark.class_index} << 2 | static_cast<uint64_t>(mark.kind));
    }
  }
  size_t hashed_end = target.size();  // what follows is stored, and hashed only where it decides bytes
  if (has_mtime(record.kind)) {
    target.resize(target.size() + kMtimeBytes);
    store_le<int64_t>(&target[hashed_end], record.mtime_ns);
    if (mtime_decides(record)) hashed_end += kMtimeBytes;
  }
  if (record.kind == RecordKind::kBlock) append_place(target, record.stored);
  digest.append({target.data() + begin, hashed_end - begin});
}

bool RecordDecoder::take_varint(uint64_t& value) {
  const DecodedVarint decoded = decode_varint(rest_);
  if (decoded.status != VarintStatus::kOk) return false;
  value = decoded.value;
  rest_ = rest_.subspan(decoded.length_bytes);
  return true;
}

bool RecordDecoder::take_bytes(uint64_t count, ByteSpan& bytes) {
  if (count > rest_.size()) return false;
  bytes = rest_.first(count);
  rest_ = rest_.subspan(count);
  return true;
}

bool RecordDecoder::take_body(LayoutRecord& record, bool has_content) {
  uint64_t number = 0;
  ByteSpan bytes;
  switch (record.kind) {
    case RecordKind::kDirectory:
    case RecordKind::kShard:
      if (!take_varint(number) || number > UINT32_MAX) return false;
      record.child_count = static_cast<uint32_t>(number);
      return take_varint(record.block_bytes) && take_u64(record.tsize);
    case RecordKind::kFile:
      if (!take_varint(record.file_bytes)) return false;
      if (!has_content) return true;
      if (!take_bytes(kDigestBytes, bytes)) return false;
      std::copy(bytes.begin(), bytes.end(), content_.begin());
      record.content = &content_;
      return true;
    case RecordKind::kSymlink:
      if (!take_varint(number) || !take_bytes(number, bytes)) return false;
      record.target = as_text(bytes);
      return true;
    case RecordKind::kBlock:
      return take_block(record);
    case RecordKind::kFilePart:
      if (!take_varint(record.file_bytes) || !take_varint(number) || number >= FileShape::kLevelsMax) return false;
      record.part.level = number;
      return take_varint(record.part.index);
  }
  return false;
}

bool RecordDecoder::take_block(LayoutRecord& record) {
  StoredBlock& block = record.stored;
  ByteSpan bytes;
  uint64_t number = 0;
  if (!take_bytes(1, bytes)) return false;
  const uint8_t head = bytes[0];
  if ((head & kExternal) != 0) return head == kExternal && !record.is_reference && take_external(block);
  if ((head & kRoleMask) > static_cast<uint8_t>(kLastRole)) return false;
  block.role = static_cast<StoredBlock::Role>(head & kRoleMask);
  block.is_dag_root = (head & kDagRoot) != 0;
  block.is_file_data = (head & kFileData) != 0;
  block.is_unread = (head & kUnread) != 0;
  block.is_inline = (head & kInline) != 0;
  if (!take_varint(number) || !take_bytes(number, block.cid)) return false;
  const auto cid = decode_cid(block.cid);
  if (!cid || cid->is_identity() != block.is_inline) return false;
  if (!take_varint(record.block_bytes) || record.block_bytes > kStoreBlockBytesMax) return false;
  if (block.is_inline && record.block_bytes != cid->multihash.digest.size()) return false;
  if (!take_varint(number) || number > UINT32_MAX) return false;
  record.child_count = static_cast<uint32_t>(number);
  if (block.is_dag_root && !take_u64(record.tsize)) return false;
  if (has_file_bytes(block) && !take_u64(record.file_bytes)) return false;
  return !record.is_reference || take_varint(block.first_offset_bytes);
}

bool RecordDecoder::take_external(StoredBlock& block) {
  uint64_t number = 0;
  if (!take_varint(number) || !take_bytes(number, block.cid) || !decode_cid(block.cid)) return false;
  if (!take_varint(number) || number == 0 || number > static_cast<uint64_t>(kLastExternal)) return false;
  block.external = static_cast<StoredBlock::External>(number);
  if (!take_varint(number) || number > UINT32_MAX) return false;
  block.external_batch = static_cast<uint32_t>(number);
  return true;
}

bool RecordDecoder::take_u64(uint64_t& value) {
  ByteSpan bytes;
  if (!take_bytes(sizeof value, bytes)) return false;
  value = load_le<uint64_t>(bytes.data());
  return true;
}

bool RecordDecoder::take_place(StoredBlock& block) {
  uint64_t source = 0;
  if (!take_varint(source) || source > INT32_MAX || !take_varint(block.place_offset_bytes)) return false;
  block.source_index = static_cast<uint32_t>(source);
  return true;
}

bool RecordDecoder::take_marks(LayoutRecord& record) {
  uint64_t count = 0;
  if (!take_varint(count) || count == 0 || count > rest_.size()) return false;  // a mark takes at least one byte
  marks_.clear();
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t value = 0;
    if (!take_varint(value) || value >> 2 > UINT32_MAX) return false;
    marks_.push_back({static_cast<NodeMark::Kind>(value & 3), static_cast<uint32_t>(value >> 2)});
  }
  record.marks = marks_;
  return true;
}

Result<LayoutRecord> RecordDecoder::next(kernels::Sha256& digest) {
  const ByteSpan all = rest_;
  const auto damaged = [] {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                "the plan is damaged: a record does not decode; make the plan again");
  };
  ByteSpan bytes;
  uint64_t number = 0;
  if (!take_bytes(2, bytes) || bytes[0] > static_cast<uint8_t>(kLastKind)) return damaged();
  const uint8_t flags = bytes[1];
  LayoutRecord record;
  record.kind = static_cast<RecordKind>(bytes[0]);
  record.is_reference = (flags & kReference) != 0;
  record.is_shadow = (flags & kShadow) != 0;
  record.is_hamt = (flags & kHamt) != 0;
  if ((flags & ~kKnownFlags) != 0) return damaged();
  if ((flags & kHasContent) != 0 && record.kind != RecordKind::kFile) return damaged();
  if ((flags & kHasBucket) != 0) {
    if (!take_bytes(1, bytes)) return damaged();
    record.bucket = bytes[0];
  }
  if (!take_varint(number) || number > 255 || !take_bytes(number, bytes)) return damaged();
  record.name = as_text(bytes);
  if (!take_body(record, (flags & kHasContent) != 0)) return damaged();
  if (!take_varint(number) || number > UINT32_MAX) return damaged();
  record.class_index = static_cast<uint32_t>(number);
  if ((flags & kHasMarks) != 0 && !take_marks(record)) return damaged();
  size_t hashed_bytes = all.size() - rest_.size();
  if (has_mtime(record.kind)) {
    if (!take_bytes(kMtimeBytes, bytes)) return damaged();
    record.mtime_ns = load_le<int64_t>(bytes.data());
    if (mtime_decides(record)) hashed_bytes += kMtimeBytes;
  }
  if (record.kind == RecordKind::kBlock && !take_place(record.stored)) return damaged();
  digest.append(all.first(hashed_bytes));
  return record;
}

}  // namespace piecework::engine
