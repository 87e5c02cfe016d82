// The first pass over a CAR: framing, CIDs, digests, nodes by themselves, segment roots. Source: formats.md 1-3, 7,
// 8, 11.
//
// A batch of sections is taken apart serially (cheap), which leaves independent tasks: groups of blocks to hash and
// whole segments to fold. The caller runs the tasks on as many threads as it likes, then settles what they found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/codec/car_block.h"
#include "engine/restore/verify_index.h"
#include "engine/restore/verify_node.h"
#include "engine/restore/verify_report.h"
#include "io/car_reader.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

// Thread-compatible; run_task() of one batch may run concurrently.
class VerifyPass {
 public:
  // `piece` is for findings; `report` and `index` outlive the pass.
  VerifyPass(std::string piece, BlockIndex& index, VerifyReport& report);

  // Takes a batch apart. Its bytes stay until settle(). Errors: those of BlockIndex::append.
  Status take(const io::CarBatch& batch);
  size_t task_count() const { return segments_.size() + groups_.size(); }
  void run_task(size_t task_index);
  // After all tasks: compares digests, keeps segment roots.
  void settle();
  // After the last batch: sets the counts and commP of `facts`.
  void finish(CarFacts& facts) const;

 private:
  // A block whose SHA-256 a task computes.
  struct Hashed {
    CidView cid;
    uint64_t offset_bytes = 0;
    Digest32 digest{};
  };
  struct Group {
    size_t begin = 0;
    size_t end = 0;
  };

  Status take_section(const io::CarSection& section);
  NodeFacts inspect(const CarBlock& block, uint64_t offset_bytes);
  void check_digest(const CarBlock& block, uint64_t offset_bytes);
  void cut_groups();
  void take_segments(ByteSpan fresh_bytes);
  void add_problem(const char* kind, const CidView* cid, uint64_t offset_bytes, std::string expected,
                   std::string actual);
  void add_warning(const char* kind, const CidView& cid, uint64_t offset_bytes, std::string expected,
                   std::string actual);

  std::string piece_;
  BlockIndex& index_;
  VerifyReport& report_;

  std::vector<Hashed> hashed_;
  std::vector<kernels::HashJob> jobs_;  // parallel to hashed_
  std::vector<Group> groups_;
  std::vector<const uint8_t*> segments_;  // whole ones of this batch
  std::vector<Digest32> batch_roots_;     // of segments_
  std::vector<uint8_t> straddling_;       // a segment that began in an earlier batch
  std::vector<uint8_t> pending_;          // the start of one that ends in a later batch
  std::vector<Digest32> segment_roots_;
  uint64_t car_bytes_ = 0;
  uint64_t block_count_ = 0;
};

}  // namespace piecework::engine
