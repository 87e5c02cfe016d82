// A DAG as a CAR of its own: byte for byte what `ipfs dag export` writes of it. Source: formats.md 7.
//
//   header with the root, then every block once by whole CID, depth first in pre-order, links in stored order
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "engine/codec/cid.h"
#include "engine/store/block_store.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct ExportedDag {
  uint64_t block_count = 0;
  uint64_t car_bytes = 0;
};

// Writes the DAG of `root` to the new file `path`: complete under that name, or not there at all. Every block is
// checked. Memory: 32 bytes a block. Errors: those of walk_stored_dag, kCorrupt (source) for a block that is missing or
// wrong; kNoSpace (destination) where `path` exists, and others of the destination; kCancelled.
Result<ExportedDag> export_dag(BlockStore& store, const Cid& root, const std::string& path,
                               const std::atomic<bool>* stop, std::atomic<uint64_t>* done_bytes);

}  // namespace piecework::engine
