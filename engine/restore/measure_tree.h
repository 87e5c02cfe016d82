// What a tree would come to if it were restored, before anything is: entries and bytes, counted as often as they are
// linked. A DAG that shares its nodes is read once, so that a small CAR that stands for 50^10 files is found out at
// once.
#pragma once

#include <cstdint>

#include "engine/restore/block_reader.h"

namespace piecework::engine {

// Sums stay at 2^64 - 1 where they would pass it.
struct TreeMeasure {
  uint64_t entry_count = 0;  // the root among them
  uint64_t content_bytes = 0;
};

struct RestoreLimits {
  uint64_t entry_count_max = 100'000'000;
  uint64_t content_bytes_max = uint64_t{1} << 46;  // 64 TiB
  uint64_t depth_max = 1000;                       // directories in directories
};

// What cannot be read counts as nothing: whoever walks the tree says so. Memory: 56 bytes for each directory and shard.
// Errors: kUnsupported (source) where a limit is passed; kCancelled; of the reader, other than faults of blocks.
Result<TreeMeasure> measure_tree(BlockReader& reader, const Cid& root, const RestoreLimits& limits,
                                 const std::atomic<bool>* stop);

}  // namespace piecework::engine
