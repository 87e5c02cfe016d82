// The checkpoint file of one attempt at a batch: where the pipeline's checkpoints go.
//
// A checkpoint is appended without a sync: within the same boot the kernel has it, whatever becomes of the process. Now
// and then the CAR and the spools are synced by the backend, while work goes on, and *after* that a mark is appended
// that names the state which survives a power cut, and synced. States that a later one has replaced are dead; where
// they are the larger part, the log is written anew without them and takes the old one's name.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/record/checkpoint_log.h"
#include "io/backend.h"
#include "io/publish.h"
#include "kernels/base/units.h"

namespace piecework::engine {

struct CheckpointPolicy {
  std::chrono::milliseconds interval{500};
  // What a power cut may cost at most, whichever comes first.
  std::chrono::milliseconds mark_interval{30'000};
  uint64_t mark_bytes = kGiB;  // 0: every checkpoint is synced, and waited for
  uint64_t dead_bytes_max = 4 * kMiB;
};

// Reads `file` as a log.
CheckpointSource checkpoint_source(const io::PublishedFile& file);

// Thread-compatible. Waits in its destructor for syncs in flight.
class CheckpointFile : public CheckpointSink {
 public:
  // `file`, in `directory`, is the attempt's; `synced_fds` are what a mark vouches for. All outlive this object.
  CheckpointFile(const io::OutputDirectory& directory, io::PublishedFile& file, std::string compacted_what,
                 std::vector<int> synced_fds, io::Backend& backend, const CheckpointPolicy& policy);
  ~CheckpointFile() override;

  // Starts a new log. Errors here and below: the destination's.
  Status start(const CheckpointHeader& header, const io::HostIdentity& here);
  // Goes on behind `state` of the log that `summary` is of; what came after is cut off.
  Status go_on(const CheckpointSummary& summary, const CheckpointState& state, const io::HostIdentity& here);

  Status add_classes(std::span<const ClassPut> puts) override;
  bool is_due(uint64_t car_bytes) override;
  Status append(const PieceCheckpoint& checkpoint) override;

  // Waits for syncs in flight, and reports where one has failed: then nothing of the attempt may be used.
  Status settle();
  [[nodiscard]] bool has_state() const { return next_state_ > 1; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Syncs;
  // A state's record in the log.
  struct Place {
    uint64_t number = 0;
    uint64_t begin_bytes = 0;
    uint64_t length_bytes = 0;
  };

  Status sync_log();
  void invalidate();
  Status write_out(CheckpointEncoder& encoder);
  Status start_mark(const PieceCheckpoint& checkpoint);
  Status finish_mark();
  Status compact();

  const io::OutputDirectory& directory_;
  io::PublishedFile& file_;
  const std::string compacted_what_;
  const std::vector<int> synced_fds_;
  io::Backend& backend_;
  const CheckpointPolicy policy_;

  uint64_t log_bytes_ = 0;
  uint32_t chain_ = 0;
  uint64_t next_state_ = 1;
  std::optional<Place> last_;     // the newest state
  std::optional<Place> marked_;   // survives a power cut
  std::optional<Place> marking_;  // will, once the syncs in flight are done
  uint64_t dead_bytes_ = 0;
  Clock::time_point last_append_ = Clock::now();
  Clock::time_point last_mark_ = Clock::now();
  uint64_t last_mark_car_bytes_ = 0;
  bool is_name_durable_ = false;
  std::unique_ptr<Syncs> syncs_;  // in flight, or done and not looked at
};

}  // namespace piecework::engine
