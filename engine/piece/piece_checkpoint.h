// What the pipeline of one piece hands out so that a later process goes on where this one was, and takes back.
//
// A checkpoint describes a piece after run N was committed. Most of what is known by then only grows: roots of finished
// segments, entries of the class store. These are handed out once. What is small and changes (the walk's place, open
// nodes with their SHA-256 states, granules with holes) is the *state*, handed out whole each time: some KB. Nothing
// here knows files; CheckpointFile (engine/record) stores it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/piece/class_store.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// What kCancelled says once there is a checkpoint.
inline constexpr std::string_view kStoppedText = "stopped; run the same command again to go on";

// The root of a finished segment.
struct SegmentRoot {
  uint64_t segment = 0;
  Digest32 root{};
};

struct ClassPut {
  uint32_t class_index = 0;
  ClassEntry entry;
};

// A piece after one of its runs. The spans live for the call.
struct PieceCheckpoint {
  uint64_t car_bytes = 0;         // committed: the next run begins there
  uint64_t spool_bytes = 0;       // of the sections' spool
  uint64_t file_table_bytes = 0;  // of the file table's
  bool is_complete = false;       // there is no next run
  ByteSpan state;
  std::span<const SegmentRoot> new_roots;  // since the last checkpoint
};

// Receives checkpoints. Called by the commit stage alone, in run order.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // Entries that a run has added to the class store; part of every later checkpoint.
  virtual Status add_classes(std::span<const ClassPut> puts) = 0;
  // Whether it is time for a checkpoint. `car_bytes` are committed.
  virtual bool is_due(uint64_t car_bytes) = 0;
  virtual Status append(const PieceCheckpoint& checkpoint) = 0;
};

// What a piece goes on from. Its classes are in the class store already.
struct ResumePoint {
  uint64_t car_bytes = 0;
  uint64_t spool_bytes = 0;
  uint64_t file_table_bytes = 0;
  bool is_complete = false;
  std::vector<uint8_t> state;
  std::vector<SegmentRoot> roots;
};

}  // namespace piecework::engine
