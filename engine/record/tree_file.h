// <piece>.tree: the roots of a piece's segments, read and checked against the piece's CID.
#pragma once

#include <string>
#include <vector>

#include "engine/record/receipt.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// The sidecar in `directory` of the piece that `receipt` is about: one root for each segment, which together lead to
// the piece's CID. Errors (source): kNotFound, kCorrupt, those of reading.
Result<std::vector<Digest32>> read_segment_roots(const std::string& directory, const Receipt& receipt);

}  // namespace piecework::engine
