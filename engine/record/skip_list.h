// receipts/<plan digest>/<batch>.skipped: the items that a batch of an existing plan goes without, because their
// sources failed (--on-source-error skip). JSON as in receipts. It stands from before the batch is laid out without
// them until its receipt, which repeats it: an attempt that is killed meanwhile is gone on with by the next one, and
// all copies of a task leave out the same.
#pragma once

#include <string>
#include <vector>

#include "engine/plan/inventory.h"
#include "io/publish.h"

namespace piecework::engine {

// Errors: of reading; kCorrupt (config) where it is not such a list.
Result<std::vector<SkippedItem>> read_skip_list(const io::OutputDirectory& receipts, uint32_t batch);

// Puts `items` in the place of the list. Where another attempt does so at the same time, one of the two stands.
Status write_skip_list(const io::OutputDirectory& receipts, uint32_t batch, const std::vector<SkippedItem>& items);

// No error where there is none.
Status remove_skip_list(const io::OutputDirectory& receipts, uint32_t batch);

}  // namespace piecework::engine
