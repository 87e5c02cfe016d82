// Fills a catalogue: from receipts (merge), or from the pieces themselves (rebuild).
//
// A piece's contents come from its own DAG in both cases, <piece>.nodes or the CAR. Merge knows from receipts which
// pieces count, and adds what only they say (plan, batch, sources, skipped items); rebuild takes every piece that lies
// in a directory, and what receipts there are. Each is one transaction: the catalogue has all of it or is as before.
// What the catalogue has already is compared, not added.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "engine/record/catalogue_writer.h"
#include "engine/record/piece_contents.h"

namespace piecework::engine {

struct FillTotals {
  uint64_t receipt_count = 0;    // that count: their batches are done
  uint64_t new_batch_count = 0;  // that the catalogue did not have
  uint64_t not_done_count = 0;   // receipts of batches that are not done
  uint64_t piece_count = 0;      // looked at
  uint64_t new_piece_count = 0;
  uint64_t skipped_count = 0;  // items that receipts name as skipped
};

struct FillOptions {
  bool expect_cars = true;  // a batch is done only with its CAR
  PageSource* pages = nullptr;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* done_bytes = nullptr;      // of CARs, for progress
  std::function<void(const std::string&)> warning;  // one line; may be empty
};

// Adds the batches of the plan `plan_digest` that are done in `directory`; of every plan there where it is empty.
// Errors: kNotFound (source) where the directory does not exist; kConflict for receipts that contradict each other;
// kCorrupt for receipts and sidecars that are not what they should be; the writer's; kCancelled.
Status merge_directory(const std::string& directory, const std::string& plan_digest, const FillOptions& options,
                       CatalogueWriter& writer, FillTotals& totals);

// Adds every piece in `directories`, from <piece>.car or without one <piece>.nodes, then all that receipts there say of
// these pieces. Errors: as merge_directory.
Status rebuild_from(const std::vector<std::string>& directories, const FillOptions& options, CatalogueWriter& writer,
                    FillTotals& totals);

}  // namespace piecework::engine
