// The records of a checkpoint file: encoding, and reading back what can be believed. Format: engine/FORMATS.md.
//
// Append-only. Each record's CRC32C is seeded with the one before it, so a record counts only behind the records that
// it was written behind. A tail that is torn, damaged or left from before a cut is not an error: the log ends where the
// chain does. What describes another plan or batch, or is of another version, is an error (exit code 78): it would be
// wrong to touch it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/piece/piece_checkpoint.h"
#include "io/host_identity.h"

namespace piecework::engine {

inline constexpr uint32_t kCheckpointVersion = 1;
// A state that would be larger is not written. What is read is bounded by the file's length, too.
inline constexpr uint32_t kCheckpointRecordBytesMax = 64 << 20;

// What a log belongs to: first record.
struct CheckpointHeader {
  Digest32 plan_digest{};
  Digest32 batch_digest{};
  bool has_car = false;
  // Inodes of the temporary files that the log describes; of the CAR 0 where there is none.
  uint64_t car_inode = 0;
  uint64_t spool_inode = 0;
  uint64_t file_table_inode = 0;

  bool operator==(const CheckpointHeader&) const = default;
};

enum class CheckpointRecordKind : uint8_t {
  kHeader = 1,
  kBoot = 2,     // a process begins here
  kClasses = 3,  // entries of the class store
  kRoots = 4,    // roots of segments
  kState = 5,    // the piece after a run; numbered from 1
  kMark = 6,     // the state with this number, and all that it describes, survives a power cut
};

// Collects records. Thread-compatible.
class CheckpointEncoder {
 public:
  // Goes on behind a record with CRC `chain`; 0 at the start of a log.
  explicit CheckpointEncoder(uint32_t chain = 0) : chain_(chain) {}

  void add_header(const CheckpointHeader& header);
  void add_boot(const io::HostIdentity& host);
  void add_classes(std::span<const ClassPut> puts);
  void add_roots(std::span<const SegmentRoot> roots);
  void add_state(uint64_t state_number, const PieceCheckpoint& checkpoint);
  void add_mark(uint64_t state_number);
  // A record as it was read.
  void add(CheckpointRecordKind kind, ByteSpan payload);

  [[nodiscard]] ByteSpan bytes() const { return bytes_; }
  [[nodiscard]] uint32_t chain() const { return chain_; }
  // Forgets the bytes, which the caller has written.
  void clear() { bytes_.clear(); }

 private:
  size_t begin(CheckpointRecordKind kind);
  void end(size_t record_begin);

  std::vector<uint8_t> bytes_;
  uint32_t chain_;
};

// Reads a part of the log; returns fewer bytes only at its end.
using CheckpointSource = std::function<Result<size_t>(MutableByteSpan target, uint64_t offset_bytes)>;

struct CheckpointRecord {
  CheckpointRecordKind kind = CheckpointRecordKind::kHeader;
  ByteSpan payload;  // until the next call
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = 0;
  uint32_t chain = 0;
};

// Goes from record to record as far as the chain holds; one record in memory. Thread-compatible.
class CheckpointScanner {
 public:
  CheckpointScanner(CheckpointSource source, uint64_t log_bytes) : source_(std::move(source)), log_bytes_(log_bytes) {}

  // None at the end of what is valid. Errors: of reading.
  Result<std::optional<CheckpointRecord>> next();

 private:
  CheckpointSource source_;
  const uint64_t log_bytes_;
  uint64_t offset_bytes_ = 0;
  uint32_t chain_ = 0;
  std::vector<uint8_t> record_;
};

// A state in the log.
struct CheckpointState {
  uint64_t number = 0;
  uint64_t car_bytes = 0;
  uint64_t spool_bytes = 0;
  uint64_t file_table_bytes = 0;
  bool is_complete = false;
  uint64_t begin_bytes = 0;  // of its record in the log
  uint64_t end_bytes = 0;
  uint32_t chain = 0;
};

struct CheckpointSummary {
  CheckpointHeader header;
  io::HostIdentity host;  // of the last process
  std::optional<CheckpointState> last;
  std::optional<CheckpointState> marked;  // survives a power cut

  // What a process on `here` may go on from: the last state within the same boot, after another one the marked state.
  [[nodiscard]] const std::optional<CheckpointState>& believed(const io::HostIdentity& here) const {
    return host.same_boot(here) ? last : marked;
  }
};

// Looks through a log of `log_bytes`. None: there is no log yet. Errors: of reading; kUnsupported (config) for another
// version.
Result<std::optional<CheckpointSummary>> scan_checkpoint(const CheckpointSource& source, uint64_t log_bytes);

// Everything up to `state` of a log: class entries go into `classes`, the rest is returned. Errors: of reading and of
// the class store; kCorrupt (config) where an entry makes no sense.
Result<ResumePoint> load_checkpoint(const CheckpointSource& source, const CheckpointState& state, ClassStore& classes);

}  // namespace piecework::engine
