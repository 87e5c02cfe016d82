// The blocks of a store that no other block of it links to: what there is to pack where nobody names roots
// (--all-blocks), or where DAGs are incomplete (--partial). Everything else is below them.
//
// Two passes over the store: one collects all links in a sorted index in bounded memory, one asks it about every block.
// Blocks that cannot have links are not read. A store that knows multihashes only (flatfs) does not know codecs: there
// a block is dag-pb where it is strict dag-pb with UnixFS inside, else raw, and links count by their multihash.
// Source: formats.md 10.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/store/block_store.h"

namespace piecework::engine {

struct TopBlockOptions {
  std::string scratch_directory;  // for an index that does not fit
  uint64_t memory_bytes = 64 * kMiB;
  const std::atomic<bool>* stop = nullptr;
};

// Calls `visit` with the CID of every block that no other links to, and its place, in the order of the store; a CID
// that the store holds twice may come twice. Identity CIDs are not among them. Errors: kCorrupt (source) for a block
// that is not what its CID names, or whose links cannot be read; of the store, the scratch directory and `visit`;
// kCancelled.
Status visit_top_blocks(BlockStore& store, const TopBlockOptions& options, const BlockVisitor& visit);

}  // namespace piecework::engine
