// One attempt at a batch: its name, its lock and its temporary files.
//
// The checkpoint file's exclusive lock is the attempt's; whoever holds it owns every temporary of that name, and goes
// on in them where the checkpoint is of this host (of this very boot: up to its last state, else up to its last mark).
// Whoever finds the lock held waits while the holder makes progress, since two attempts at once only waste a machine.
// A holder that stands still (stopped, or stuck on its disk) is not waited for: the next attempt of that batch works
// under a name of its own, from the start. Publishing never replaces anything, so both may end, and with success.
// Another host's temporaries are never touched: a shared file system's locks may not reach that far.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "engine/piece/class_store.h"
#include "engine/record/checkpoint_file.h"
#include "io/host_identity.h"
#include "io/publish.h"

namespace piecework::engine {

// How long a holder of the lock may show no progress before another attempt stops waiting for it.
inline constexpr std::chrono::milliseconds kAttemptPatience{10'000};

// What attempts at one batch have in common. References outlive the attempts.
struct AttemptScope {
  const io::OutputDirectory& output;
  const io::OutputDirectory& receipts;
  Digest32 plan_digest{};
  Digest32 batch_digest{};
  uint32_t batch = 0;
  io::HostIdentity here = io::host_identity();
  std::chrono::milliseconds patience = kAttemptPatience;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view)> notice;  // one line for people; may be empty
};

// Thread-compatible. Temporaries stay when it goes; see discard().
class PackAttempt {
 public:
  // Takes the lock of an attempt, or waits for it. None: `is_done` said that the batch is done meanwhile. Errors: the
  // destination's; kCancelled on a stop; kConflict and kUnsupported (config) for a checkpoint of something else.
  static Result<std::optional<PackAttempt>> claim(const AttemptScope& scope,
                                                  const std::function<Result<bool>()>& is_done);

  // Removes what dead attempts at a batch that is done have left.
  static Status remove_leftovers(const AttemptScope& scope);

  // Opens the CAR's and the spools' temporaries: those of the checkpoint where there is one that fits, else new ones.
  Status open_files(bool store_car);
  // Forgets the checkpoint and opens new ones.
  Status start_anew(bool store_car);

  // Where the files stand, none: at the start.
  [[nodiscard]] const std::optional<CheckpointState>& state() const { return state_; }
  // The CAR is not among the temporaries any more although the checkpoint has one: published, where the piece is
  // complete.
  [[nodiscard]] bool car_is_gone() const { return car_is_gone_; }
  // REQUIRES: state().
  Result<ResumePoint> load(ClassStore& classes) const;
  // Begins or goes on with the log. The result refers to this attempt.
  Result<std::unique_ptr<CheckpointFile>> open_log(io::Backend& backend, const CheckpointPolicy& policy);

  [[nodiscard]] const std::string& name() const { return name_; }
  std::optional<io::PublishedFile>& car() { return car_; }
  io::PublishedFile& spool() { return *spool_; }
  io::PublishedFile& lines() { return *lines_; }
  // A new temporary ("tree", "nodes", "files") of this attempt; an earlier one is removed.
  Result<io::PublishedFile> open_sidecar(std::string_view extension) const;
  // The same for the list that lies with the receipt.
  Result<io::PublishedFile> open_external_list() const;

  // After a stop: the temporaries stay where there is a checkpoint to go on from, else they go.
  Status stop();
  // Removes every temporary, the lock's last.
  Status discard();

 private:
  PackAttempt(const AttemptScope& scope, std::string name, io::PublishedFile log);
  Result<bool> adopt_files(bool store_car);
  Result<io::PublishedFile> open_temporary(const io::OutputDirectory& directory, std::string_view extension,
                                           io::PublishedFile::Mode mode) const;
  Status remove_temporaries(std::span<const std::string_view> extensions) const;

  const AttemptScope* scope_;
  std::string name_;
  io::PublishedFile log_;  // holds the lock
  std::optional<CheckpointSummary> summary_;
  std::optional<CheckpointState> state_;
  std::optional<io::PublishedFile> car_;
  std::optional<io::PublishedFile> spool_;
  std::optional<io::PublishedFile> lines_;
  bool car_is_gone_ = false;
};

}  // namespace piecework::engine
