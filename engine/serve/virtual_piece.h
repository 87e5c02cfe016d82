// The bytes of a piece whose CAR is not stored: made again from the plan, <piece>.nodes and the sources, in any range.
//
// What stands where is in the plan; nodes come from the sidecar, file data and stored blocks from where they lie. Every
// segment is hashed and compared with <piece>.tree, which leads to the piece's CID, before a byte of it is given out:
// whatever happened to plan, sidecar or sources, a reader gets the piece's bytes or an error. Source: design.md 6.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/plan/plan_file.h"
#include "engine/plan/source_set.h"
#include "engine/record/receipt.h"
#include "io/backend.h"
#include "kernels/base/error.h"

namespace piecework::engine {

class PieceCursor;

// Safe for concurrent use: any number of cursors at the same time, each on one thread.
class VirtualPiece {
 public:
  // The piece of `receipt`, packed into the output directory `directory`, which keeps its plan and sidecars. `backend`
  // outlives the piece. `scratch_path` is where a batch without the files that were left out is laid out anew. Errors:
  // of the plan (kNotFound, kCorrupt), of a source that cannot be opened, of the sidecars.
  static Result<std::unique_ptr<VirtualPiece>> open(const std::string& directory, const Receipt& receipt,
                                                    io::Backend& backend, const std::string& scratch_path);
  ~VirtualPiece();
  VirtualPiece(const VirtualPiece&) = delete;
  VirtualPiece& operator=(const VirtualPiece&) = delete;

  uint64_t payload_bytes() const { return receipt_.payload_bytes; }
  // Bytes from `offset_bytes` on, in order. REQUIRES: offset_bytes <= payload_bytes(); the piece outlives the cursor.
  // Errors: as open; kChanged and the like of the sources it passes on the way.
  Result<std::unique_ptr<PieceCursor>> read_from(uint64_t offset_bytes);

 private:
  friend class PieceCursor;

  // Where a walk of the plan's records stood between two runs.
  struct Position {
    uint64_t car_offset_bytes = 0;
    uint64_t step_count = 0;
  };

  VirtualPiece(Receipt receipt, io::Backend& backend) : receipt_(std::move(receipt)), backend_(backend) {}
  const PlannedBatch& planned() const;
  const Profile& profile() const;
  Status leave_out_skipped(const std::string& scratch_path);
  Position position_before(uint64_t car_offset_bytes) const;
  void note(const Position& position);

  const Receipt receipt_;
  io::Backend& backend_;
  Cid root_cid_;
  std::unique_ptr<PlanReader> plan_;  // the kept one, or a layout that was made anew
  std::unique_ptr<SourceSet> sources_;
  std::string nodes_path_;
  std::vector<Digest32> segment_roots_;
  mutable std::mutex mutex_;         // of plan_'s statements, and of:
  std::vector<Position> positions_;  // ascending; those that some cursor has come by
};

// Thread-compatible. Memory: one slot of the pipeline, a segment, a frame of nodes and one of the plan.
class PieceCursor {
 public:
  PieceCursor(const PieceCursor&) = delete;
  PieceCursor& operator=(const PieceCursor&) = delete;
  ~PieceCursor();

  // The next bytes, at most a segment, all of them checked; empty at the piece's end. They are there until the next
  // call. Errors: of the sources (kChanged, kNotFound, ...); kCorrupt where what comes out is not the piece.
  Result<ByteSpan> next();

 private:
  friend class VirtualPiece;
  class Producer;

  PieceCursor(VirtualPiece& piece, std::unique_ptr<Producer> producer, uint64_t offset_bytes);
  Status load_segment();

  VirtualPiece& piece_;
  std::unique_ptr<Producer> producer_;
  uint64_t offset_bytes_;  // of the next byte to give out
  std::vector<uint8_t> segment_;
};

}  // namespace piecework::engine
