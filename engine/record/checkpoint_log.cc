#include "engine/record/checkpoint_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/piece/state_bytes.h"
#include "kernels/base/check.h"
#include "kernels/isal.h"

namespace piecework::engine {
namespace {

using Kind = CheckpointRecordKind;

constexpr std::string_view kMagic = "PWCHECK1";
// u32 length of the payload, u8 kind, payload, u32 CRC.
constexpr size_t kHeadBytes = 5;
constexpr size_t kRecordExtraBytes = kHeadBytes + sizeof(uint32_t);

tl::unexpected<Error> senseless(std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, fmt::format("checkpoint: {} makes no sense", what));
}

void read_digest(StateReader& reader, Digest32& digest) {
  const ByteSpan bytes = reader.raw(digest.size());
  std::copy(bytes.begin(), bytes.end(), digest.begin());
}

Result<CheckpointHeader> decode_header(ByteSpan payload) {
  StateReader reader(payload);
  if (as_text(reader.raw(kMagic.size())) != kMagic) return senseless("its first record");
  const uint32_t version = reader.integer<uint32_t>();
  if (version != kCheckpointVersion) {
    return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
                fmt::format("checkpoint: version {}, expected {}: finish with the program that began, or remove the "
                            "temporary files",
                            version, kCheckpointVersion));
  }
  CheckpointHeader header;
  read_digest(reader, header.plan_digest);
  read_digest(reader, header.batch_digest);
  header.has_car = reader.flag();
  header.car_inode = reader.integer<uint64_t>();
  header.spool_inode = reader.integer<uint64_t>();
  header.file_table_inode = reader.integer<uint64_t>();
  if (!reader.at_end()) return senseless("its header");
  return header;
}

// The fields of a state that come before its bytes; leaves the reader behind them.
CheckpointState read_state(StateReader& reader, const CheckpointRecord& record) {
  CheckpointState state;
  state.number = reader.integer<uint64_t>();
  state.car_bytes = reader.integer<uint64_t>();
  state.spool_bytes = reader.integer<uint64_t>();
  state.file_table_bytes = reader.integer<uint64_t>();
  state.is_complete = reader.flag();
  state.begin_bytes = record.begin_bytes;
  state.end_bytes = record.end_bytes;
  state.chain = record.chain;
  return state;
}

Status put_classes(StateReader reader, ClassStore& classes) {
  while (!reader.at_end()) {
    const uint32_t class_index = reader.integer<uint32_t>();
    ClassEntry entry;
    read_digest(reader, entry.digest);
    entry.begin_bytes = reader.integer<uint64_t>();
    entry.end_bytes = reader.integer<uint64_t>();
    entry.is_raw = reader.flag() ? 1 : 0;
    entry.has_parts_elsewhere = reader.flag() ? 1 : 0;
    reader.require(class_index >= 1 && class_index <= classes.class_count() && entry.begin_bytes <= entry.end_bytes);
    if (!reader.ok()) return senseless("an entry of the class store");
    PIECEWORK_TRY(classes.put(class_index, entry));
  }
  return {};
}

Status take_roots(StateReader reader, std::vector<SegmentRoot>& roots) {
  while (!reader.at_end()) {
    SegmentRoot root;
    root.segment = reader.integer<uint64_t>();
    read_digest(reader, root.root);
    if (!reader.ok()) return senseless("a segment's root");
    roots.push_back(root);
  }
  return {};
}

}  // namespace

size_t CheckpointEncoder::begin(Kind kind) {
  const size_t record_begin = bytes_.size();
  StateWriter writer(bytes_);
  writer.integer<uint32_t>(0);  // known at the end
  writer.integer(static_cast<uint8_t>(kind));
  return record_begin;
}

void CheckpointEncoder::end(size_t record_begin) {
  store_le(bytes_.data() + record_begin, static_cast<uint32_t>(bytes_.size() - record_begin - kHeadBytes));
  chain_ = kernels::crc32c(chain_, ByteSpan(bytes_).subspan(record_begin));
  StateWriter(bytes_).integer(chain_);
}

void CheckpointEncoder::add(Kind kind, ByteSpan payload) {
  const size_t record_begin = begin(kind);
  StateWriter(bytes_).raw(payload);
  end(record_begin);
}

void CheckpointEncoder::add_header(const CheckpointHeader& header) {
  const size_t record_begin = begin(Kind::kHeader);
  StateWriter writer(bytes_);
  writer.raw(as_bytes(kMagic));
  writer.integer(kCheckpointVersion);
  writer.raw(header.plan_digest);
  writer.raw(header.batch_digest);
  writer.flag(header.has_car);
  writer.integer(header.car_inode);
  writer.integer(header.spool_inode);
  writer.integer(header.file_table_inode);
  end(record_begin);
}

void CheckpointEncoder::add_boot(const io::HostIdentity& host) {
  const size_t record_begin = begin(Kind::kBoot);
  StateWriter writer(bytes_);
  writer.text(host.boot_id);
  writer.text(host.host);
  end(record_begin);
}

void CheckpointEncoder::add_classes(std::span<const ClassPut> puts) {
  const size_t record_begin = begin(Kind::kClasses);
  StateWriter writer(bytes_);
  for (const ClassPut& put : puts) {
    writer.integer(put.class_index);
    writer.raw(put.entry.digest);
    writer.integer(put.entry.begin_bytes);
    writer.integer(put.entry.end_bytes);
    writer.flag(put.entry.is_raw != 0);
    writer.flag(put.entry.has_parts_elsewhere != 0);
  }
  end(record_begin);
}

void CheckpointEncoder::add_roots(std::span<const SegmentRoot> roots) {
  const size_t record_begin = begin(Kind::kRoots);
  StateWriter writer(bytes_);
  for (const SegmentRoot& root : roots) {
    writer.integer(root.segment);
    writer.raw(root.root);
  }
  end(record_begin);
}

void CheckpointEncoder::add_state(uint64_t state_number, const PieceCheckpoint& checkpoint) {
  const size_t record_begin = begin(Kind::kState);
  StateWriter writer(bytes_);
  writer.integer(state_number);
  writer.integer(checkpoint.car_bytes);
  writer.integer(checkpoint.spool_bytes);
  writer.integer(checkpoint.file_table_bytes);
  writer.flag(checkpoint.is_complete);
  writer.raw(checkpoint.state);
  end(record_begin);
}

void CheckpointEncoder::add_mark(uint64_t state_number) {
  const size_t record_begin = begin(Kind::kMark);
  StateWriter(bytes_).integer(state_number);
  end(record_begin);
}

Result<std::optional<CheckpointRecord>> CheckpointScanner::next() {
  uint8_t head[kHeadBytes];
  if (log_bytes_ - offset_bytes_ < kRecordExtraBytes) return std::nullopt;
  PIECEWORK_ASSIGN(const size_t head_bytes, source_(head, offset_bytes_));
  const uint32_t payload_bytes = load_le<uint32_t>(head);
  if (head_bytes != sizeof head || payload_bytes > kCheckpointRecordBytesMax ||
      payload_bytes > log_bytes_ - offset_bytes_ - kRecordExtraBytes) {
    return std::nullopt;
  }
  record_.resize(kRecordExtraBytes + payload_bytes);
  PIECEWORK_ASSIGN(const size_t got, source_(record_, offset_bytes_));
  if (got != record_.size()) return std::nullopt;
  const ByteSpan covered = ByteSpan(record_).first(kHeadBytes + payload_bytes);
  const uint32_t crc = kernels::crc32c(chain_, covered);
  if (crc != load_le<uint32_t>(record_.data() + covered.size())) return std::nullopt;
  const uint64_t begin_bytes = offset_bytes_;
  offset_bytes_ += record_.size();
  chain_ = crc;
  return CheckpointRecord{static_cast<Kind>(record_[4]), covered.subspan(kHeadBytes), begin_bytes, offset_bytes_, crc};
}

Result<std::optional<CheckpointSummary>> scan_checkpoint(const CheckpointSource& source, uint64_t log_bytes) {
  CheckpointScanner scanner(source, log_bytes);
  PIECEWORK_ASSIGN(std::optional<CheckpointRecord> record, scanner.next());
  if (!record || record->kind != Kind::kHeader) return std::nullopt;
  CheckpointSummary summary;
  PIECEWORK_ASSIGN(summary.header, decode_header(record->payload));
  std::vector<CheckpointState> unmarked;  // states that a mark may still name
  bool has_boot = false;
  for (;;) {
    PIECEWORK_ASSIGN(record, scanner.next());
    if (!record) break;
    StateReader reader(record->payload);
    if (record->kind == Kind::kBoot) {
      summary.host.boot_id = reader.text();
      summary.host.host = reader.text();
      has_boot = reader.at_end();
    } else if (record->kind == Kind::kState) {
      summary.last = read_state(reader, *record);
      unmarked.push_back(*summary.last);
    } else if (record->kind == Kind::kMark) {
      const uint64_t number = reader.integer<uint64_t>();
      const auto is_named = [number](const CheckpointState& state) { return state.number == number; };
      const auto named = std::find_if(unmarked.begin(), unmarked.end(), is_named);
      if (named == unmarked.end()) continue;
      summary.marked = *named;
      unmarked.erase(unmarked.begin(), named);  // the named one stays: a later process names it again
    }
    if (!reader.ok()) return senseless("a record");
  }
  if (!has_boot) return std::nullopt;
  return summary;
}

Result<ResumePoint> load_checkpoint(const CheckpointSource& source, const CheckpointState& state, ClassStore& classes) {
  CheckpointScanner scanner(source, state.end_bytes);
  ResumePoint point;
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<CheckpointRecord> record, scanner.next());
    if (!record) break;
    if (record->kind == Kind::kClasses) PIECEWORK_TRY(put_classes(StateReader(record->payload), classes));
    if (record->kind == Kind::kRoots) PIECEWORK_TRY(take_roots(StateReader(record->payload), point.roots));
    if (record->kind != Kind::kState || record->end_bytes != state.end_bytes) continue;
    constexpr size_t kFieldsBytes = 4 * sizeof(uint64_t) + 1;
    if (record->payload.size() < kFieldsBytes) return senseless("a state");
    const ByteSpan rest = record->payload.subspan(kFieldsBytes);
    point.state.assign(rest.begin(), rest.end());
    point.car_bytes = state.car_bytes;
    point.spool_bytes = state.spool_bytes;
    point.file_table_bytes = state.file_table_bytes;
    point.is_complete = state.is_complete;
    return point;
  }
  return senseless("its length: it became shorter while it was read");
}

}  // namespace piecework::engine
