// The bytes of a piece for an upload, from an output directory of pack.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/deal/deal_adapter.h"
#include "engine/serve/piece_shelf.h"
#include "io/backend.h"
#include "kernels/base/error.h"

namespace piecework::tools {

// A CAR that is stored is hashed whole before it is given out, so that only the piece's own bytes are ever sent; one
// that is not is made from its sources, each segment checked as it comes (engine/serve/virtual_piece.h). Hashing may
// take long: `keep` is called meanwhile, by the caller's thread, about twice a minute, and what it fails with ends it.
// `backend` outlives the result, which is for one thread. Errors: kCorrupt (source) where the CAR is not the piece's;
// kCancelled; those of reading, of VirtualPiece::open and of `keep`.
Result<engine::PieceBytes> open_piece_bytes(const engine::ShelvedPiece& piece, io::Backend& backend,
                                            const std::string& scratch_path, const std::atomic<bool>* stop,
                                            const std::function<Status()>& keep);

}  // namespace piecework::tools
