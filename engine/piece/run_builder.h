// The source stage: turns a batch's layout records into runs. Serial; touches no file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/layout/file_walk.h"
#include "engine/piece/run.h"
#include "engine/plan/plan_file.h"

namespace piecework::engine {

// Thread-compatible.
class RunBuilder {
 public:
  RunBuilder(BatchReader records, const Profile& profile, const PlannedBatch& batch, size_t events_per_run_max);

  // Fills `run` (cleared, with its slot) with the next whole sections that its buffer holds. False: there are no more,
  // `run` is untouched. The last run has is_last set. Errors: those of the plan.
  Result<bool> build(Run& run);

  // Before the first build(): goes to where a builder of the same batch stood after `step_count` steps
  // (BuilderPosition), by reading the records up to there. The runs that follow need not be cut as they were.
  // Errors: those of the plan; kCorrupt (config) where that is not at `offset_bytes` of the CAR.
  Status skip_to(uint64_t step_count, uint64_t offset_bytes);

  // Largest section of a file's or directory's node; a slot's buffer must be larger by a page than this, and than what
  // the batch has of a store (LayoutTotals).
  static constexpr uint64_t kSectionBytesMax = 3 * kMiB;

 private:
  // A node whose children are still coming.
  struct Open {
    uint64_t children_left = 0;
    bool is_shadow = false;
    bool is_block = false;    // a block of a store
    uint32_t path_bytes = 0;  // of the path before this node
    bool has_path = false;    // a directory: its name is part of the path
  };

  enum class Step : uint8_t { kPlaced, kRunFull };

  Status start();
  Status fetch();
  Result<Step> step(Run& run);
  Step place_record(Run& run);
  Step place_directory(Run& run);
  Step place_symlink(Run& run);
  Step place_file(Run& run);
  Step place_file_node(Run& run);
  Step place_block(Run& run);
  bool fits(const Run& run, uint64_t section_bytes) const;
  SectionEvent event_of(Run& run, SectionEvent::Kind kind, SectionEvent::Role role);
  void place_section(Run& run, SectionEvent& event, uint32_t cid_bytes, uint64_t block_bytes);
  void add_block(Run& run, const SectionEvent& event, uint32_t cid_position);
  size_t root_cid_bytes() const;
  void add_leaf_extent(Run& run, const SectionEvent& event, uint64_t content_bytes);
  uint32_t add_file(Run& run, std::shared_ptr<SharedFile> shared);
  void open_node(Run& run, uint64_t child_count, const Open& kind);
  void finish_node(Run& run);

  BatchReader records_;
  const Profile& profile_;
  const PlannedBatch& batch_;
  const size_t events_per_run_max_;
  uint64_t offset_bytes_;  // where the next section begins
  uint64_t sequence_ = 0;
  uint64_t step_count_ = 0;  // records and nodes of files placed so far
  bool done_ = false;
  bool skipping_ = false;  // what is placed goes nowhere

  std::optional<LayoutRecord> record_;  // fetched and not yet placed
  std::vector<Open> open_;
  std::string path_;  // of the directory whose children are being placed

  // The file whose nodes are being placed.
  struct CurrentFile {
    FileShape shape;
    FileNodePlace top;  // what is placed: the root, or a part
    FileWalk walk;
    FileNodePlace place;
    bool has_place = false;  // `place` was fetched and not yet placed
    uint64_t next_mark = 0;
    std::vector<NodeMark> marks;
    std::shared_ptr<SharedFile> shared;
    std::string path;
    int64_t mtime_ns = 0;
    uint64_t file_bytes = 0;
    uint64_t run_sequence = UINT64_MAX;  // of the run that `file_index` belongs to
    uint32_t file_index = 0;
  };
  std::optional<CurrentFile> file_;
};

}  // namespace piecework::engine
