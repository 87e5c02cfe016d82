// What a piece holds, from its DAG: a walk that writes contents, ranges and entries into a catalogue.
//
// The DAG decides alone, so that a catalogue made from receipts and one made from pieces are equal. A block stands at
// its first section. A directory or file that occurs again has its entries under every path, as long as the piece
// does not come to many more rows than blocks (a hostile DAG shares its nodes a billion times); after that only the
// directory itself is listed again. A DAG that is deeper than any that pack makes is listed down to a depth. Nothing
// recurses; a block takes some 64 bytes, of `pages`. Source: formats.md 2, 3.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/memory/page_source.h"
#include "engine/record/catalogue_writer.h"
#include "engine/record/piece_sections.h"

namespace piecework::engine {

struct PieceContentsOptions {
  PageSource* pages = nullptr;              // null: just memory
  const std::atomic<bool>* stop = nullptr;  // may be null
  std::atomic<uint64_t>* done_bytes = nullptr;
  std::function<void(const std::string&)> warning;  // one line a limit that the piece passes; may be empty
};

// Adds what the piece holds to `writer` as the contents of a new piece; returns its id. `facts.block_count` is counted
// here. Errors: kCorrupt (source), with the CID; of reading; the writer's; kCancelled.
Result<uint64_t> add_piece_contents(PieceSections& sections, CataloguePiece facts, const PieceContentsOptions& options,
                                    CatalogueWriter& writer);

}  // namespace piecework::engine
