// Puts an output directory of pack right again: every damaged file is replaced by one that was made anew and verified,
// or set aside so that pack makes it again. Source: design.md 6.
//
// What is wrong is verify's to say, and what a batch is made from the plan's, which the directory keeps. A damaged file
// is first renamed to "<name>.damaged"; then the batch is packed again into the directory, as for any file that is
// missing, and its receipt, where it was good, must come out the same; then all of the batch is verified; only then are
// the damaged files removed. Where making it again fails, names are given back. So nothing goes whose content does not
// stand, verified, under its own name; a process that is killed on the way leaves the damaged file beside the place,
// and the next repair goes on. Where plan or sources are gone, a damaged file is only renamed: `todo` then lists the
// batch, and what is good in the file can still be restored from it.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/pack_job.h"
#include "engine/restore/verify.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct RepairRequest {
  std::string directory;
  std::vector<Source> sources;  // where the sources are now, as the plan names them; empty: where the plan saw them
  bool store_car = true;        // false: packed with --no-car, a missing CAR is no damage
  unsigned thread_count = 1;
  uint64_t memory_bytes = 256 * kMiB;
  uint64_t verify_memory_bytes = kGiB;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* done_bytes = nullptr;  // of CARs that were verified, for progress
};

struct BatchRepair {
  std::string plan_digest;
  uint32_t batch = 0;
  std::string piece_cid_v1;           // "" where the receipt cannot be read
  std::vector<std::string> damaged;   // files that are there, and wrong
  std::vector<std::string> missing;
  std::vector<std::string> findings;  // what verify says, a line each, at most some
  std::string why_not;                // "" where the batch can be made again
  // What apply_repair() did.
  enum class Outcome : uint8_t { kNone, kRebuilt, kSetAside, kFailed };
  Outcome outcome = Outcome::kNone;
  std::vector<std::string> set_aside;  // new names that remain
  std::string error;                   // of kFailed
  std::optional<Error> cause;          // of kFailed, where it is not what verify says

  bool can_rebuild() const { return why_not.empty(); }
};

// Verifies everything, and says for every batch with damage what could be done. Changes nothing. Errors: as
// verify_directory.
Result<std::vector<BatchRepair>> find_repairs(const RepairRequest& request);

// Does what find_repairs() said for this batch. What goes wrong with the batch is its outcome. Errors: kCancelled.
Status apply_repair(const RepairRequest& request, BatchRepair& repair);

}  // namespace piecework::engine
