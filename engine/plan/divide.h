// Divides an inventory into batches as full as they get, in walk order, so that neighbours stay together.
//
// A batch begins with the first item that is in none yet and takes the next ones while they fit; what the first that
// does not fit leaves free is filled with later items, from as far ahead as a bound says. So a large item opens a batch
// and small ones fill it. Places by estimates, then lays out exactly: filling a batch is not monotone (one more file
// can turn a flat directory into a HAMT, or make two directories equal), so every batch that is accepted has been laid
// out and measured. Items are kept whole where they fit a piece; an item that does not is divided by files.
#pragma once

#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_options.h"

namespace piecework::engine {

// Batches by their first entries; together they cover the inventory, each entry once. Each has a CAR of at most
// options.payload_bytes_max.
// Errors: of the inventory's source of pages; kInvalidArgument where a single file with its directories does not fit;
// those of BatchLayout::compute.
Result<std::vector<EntryRanges>> divide_into_batches(const Inventory& inventory, ContentClasses& classes,
                                                    const PlanOptions& options);

}  // namespace piecework::engine
