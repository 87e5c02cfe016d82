// What a plan says of itself beside the records: options, sources, batches and what each comes to; and the digests.
//
// batch digest = SHA-256("piecework batch 2\n" options "\n" records), plan digest = SHA-256("piecework plan 2\n"
// options "\n" for every source: its name's length and name; then the batch digests).
#pragma once

#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/layout/layout_record.h"
#include "engine/plan/inventory.h"
#include "engine/plan/plan_options.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

// A subtree of an item that is larger than a piece.
struct PlannedPart {
  std::string path;       // of the subtree in its piece: the item's path and 20 digits
  std::string item_path;  // where it stands in the item as a whole; of a file that file's path
  Cid cid;                // empty for a part of a file, which gets one when it is packed
};
using BatchParts = std::vector<PlannedPart>;  // in the order of their records

struct BatchRole {
  bool is_join = false;   // upper nodes of an item whose subtrees are parts of other batches
  std::string join_path;  // of that item
  BatchParts parts{};
};

struct PlannedBatch {
  uint32_t batch = 0;  // counts from 0
  Digest32 digest{};
  LayoutTotals totals;
  BatchRole role;

  // The upper nodes of a file: packing them takes the CIDs that its parts got when they were packed.
  bool is_file_join() const { return role.is_join && totals.class_count > 0; }
};

// Everything of a plan but the records.
struct PlanSummary {
  Digest32 digest{};
  PlanOptions options;
  std::vector<Source> sources;
  bool root_joins_sources = false;
  std::vector<SkippedItem> skipped;
  KnownTotals known;                  // decides no bytes, so that it is no part of the plan's digest
  std::vector<PlannedBatch> batches;  // none: nothing is new

  std::string digest_text() const { return to_hex(digest); }
};

// What a batch's records are appended to.
kernels::Sha256 batch_hasher(const PlanOptions& options);
Digest32 plan_digest(const PlanSummary& summary);
// Of what the plan's digest does not cover, because it follows from the records or does not decide bytes: receipts
// repeat it, so an edited plan must not get through with it.
Digest32 summary_digest(const PlanSummary& summary);

// The options and what is known as a plan file stores them, and back. Errors: kCorrupt (config), without a path.
std::string options_to_json(const PlanSummary& summary);
Status options_from_json(const std::string& text, PlanSummary& summary);

}  // namespace piecework::engine
