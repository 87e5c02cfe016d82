// Bodies of answers that give out a piece: from its CAR, or made from its sources; at a bounded rate where asked.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "engine/serve/virtual_piece.h"
#include "io/file.h"
#include "io/http_server.h"

namespace piecework::engine {

// `length_bytes` of the piece from where `cursor` stands. `first` is what cursor->next() gave already, so that an
// answer is begun only when its first bytes are there and right. The piece lives as long as the body.
std::unique_ptr<io::HttpBody> virtual_body(std::shared_ptr<VirtualPiece> piece, std::unique_ptr<PieceCursor> cursor,
                                           ByteSpan first);

// A file's bytes from `offset_bytes` on, read here, where the kernel does not send them itself.
std::unique_ptr<io::HttpBody> file_body(io::File file, uint64_t offset_bytes);

// The same bytes, at most `bytes_per_second` of them; gives up waiting when `stop` becomes true.
std::unique_ptr<io::HttpBody> throttled_body(std::unique_ptr<io::HttpBody> body, uint64_t bytes_per_second,
                                             const std::atomic<bool>& stop);

}  // namespace piecework::engine
