// The stages of the piece pipeline as plain functions on a run, testable without threads.
#pragma once

#include <memory>

#include "engine/piece/piece_pipeline.h"
#include "engine/piece/run_builder.h"
#include "engine/piece/segment_assembler.h"
#include "engine/piece/source_reader.h"

namespace piecework::engine {

// All stages of one piece. source(), fill() and commit() are serial, each called in run order; the others may run on
// any number of runs at once. Every stage but source() passes a failed run on untouched.
class PieceStages {
 public:
  PieceStages(BatchReader records, ClassStore classes, const PieceInputs& inputs);

  // Before the first source(): goes on from a checkpoint. Errors: kCorrupt (config) where it does not fit.
  Status restore(const ResumePoint& point);

  // Fills `run` with the next sections; false: there are none, or the piece has failed.
  bool source(Run& run);
  void read(Run& run, std::function<void()> done) { reader_.read(run, std::move(done)); }
  void read_rest(Run& run, std::function<void()> done) { reader_.read_rest(run, std::move(done)); }
  void digest(Run& run) const;
  void fill(Run& run);
  void hash(Run& run) const;
  // The request that stores the run's bytes, or none where there is nothing to write.
  [[nodiscard]] bool wants_write(const Run& run) const {
    return run.status.has_value() && inputs_.car_fd >= 0 && !run.pages().empty();
  }
  [[nodiscard]] io::WriteRequest write_request(const Run& run) const;
  void commit(Run& run);

  // After the last commit. Where the piece was stopped, takes a checkpoint of what is committed.
  Result<PieceOutcome> finish();

 private:
  bool is_stopping() const { return inputs_.stop != nullptr && inputs_.stop->load(std::memory_order_relaxed); }
  static void patch_first_page(Run& run);
  Status check_cut_file(StateReader& reader) const;
  void save_walk(Run& run) const;
  Status commit_run(const Run& run);
  Status store_late(const LateBytes& late);
  Status note_committed(Run& run);
  Status append_checkpoint();

  const PieceInputs& inputs_;
  RunBuilder builder_;
  SourceReader reader_;
  DagFiller filler_;
  SegmentAssembler assembler_;
  bool stopped_ = false;             // source() only
  Status walk_end_;                  // of the first run that could not be filled; fill() only
  std::vector<uint8_t> page_start_;  // of the page that the last filled run ends in
  uint64_t file_table_bytes_ = 0;    // with the last committed run's files
  Status status_;                    // of the earliest failed run; commit() only
  std::atomic<bool> failed_{false};
  // Of the last committed run; its spans are set when it is handed out.
  PieceCheckpoint checkpoint_;
  std::vector<uint8_t> state_;
  bool is_checkpointed_ = true;
};

}  // namespace piecework::engine
