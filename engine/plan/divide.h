// Divides an inventory into batches: consecutive ranges in walk order, as full as they get.
//
// Places by estimates, then lays out exactly: filling a batch is not monotone (one more file can turn a flat directory
// into a HAMT, or make two directories equal), so every range that is accepted has been laid out and measured. Items
// are kept whole where they fit a piece; an item that does not is divided by files.
#pragma once

#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_options.h"

namespace piecework::engine {

// Ranges that cover the inventory, in order, each with a CAR of at most options.payload_bytes_max.
// Errors: kInvalidArgument where a single file with its directories does not fit; those of BatchLayout::compute.
Result<std::vector<EntryRange>> divide_into_batches(const Inventory& inventory, ContentClasses& classes,
                                                    const PlanOptions& options);

}  // namespace piecework::engine
