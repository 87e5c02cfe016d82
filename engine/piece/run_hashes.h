// The tree of one run: subtrees of what is complete in it, and the bytes of what is not.
#pragma once

#include <vector>

#include "engine/piece/segment_assembler.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// Bytes [begin, end) of the CAR.
struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// What hash_run finds. Reused from run to run.
struct RunHashes {
  std::vector<Subtree> subtrees;
  // Known bytes of incomplete granules: `fragments[i]` of the CAR are the next bytes of `fragment_bytes`.
  std::vector<ByteRange> fragments;
  std::vector<uint8_t> fragment_bytes;

  void clear();
};

// Hashes the bytes of the CAR from `begin_bytes` on, less the `holes`, which are sorted, disjoint and inside the run.
// Every byte of a CAR of `car_bytes` but the holes ends up in exactly one subtree or fragment. Pure; no shared state.
void hash_run(ByteSpan bytes, uint64_t begin_bytes, uint64_t car_bytes, std::span<const ByteRange> holes,
              RunHashes& result);

}  // namespace piecework::engine
