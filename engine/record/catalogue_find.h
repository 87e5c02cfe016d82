// What `find` answers: every version of a path, CID or piece, with the pieces that hold it, batches and deals.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/record/catalogue_reader.h"

namespace piecework::engine {

struct FindRequest {
  std::string what;  // a path, a CID, or a piece CID of either version
  bool is_prefix = false;
  std::optional<std::string> source;
  std::optional<std::pair<uint64_t, uint64_t>> range;  // of the file: begin, end
};

struct FoundPiece {
  CataloguePiece facts;
  std::vector<CatalogueBatch> batches;
  std::vector<CatalogueDeal> deals;
  std::vector<CatalogueRange> ranges;  // in this piece
};

// One path and CID in one piece; a file in parts has several.
struct FoundVersion {
  CatalogueEntry entry;
  uint64_t dag_bytes = 0;           // of the sections that `pieces` have ranges of; without --range of the whole DAG
  std::vector<FoundPiece> pieces;   // the first is the one with the entry
  std::vector<CatalogueRange> missing;  // in no piece of the catalogue
};

// Calls `visit` for every version, none where nothing is found. A text that is a piece CID is looked for as a piece
// first, one that is a CID then as one, and last as a path. Errors: of reading; the visitor's.
Status find_in_catalogue(CatalogueReader& reader, const FindRequest& request,
                         const std::function<Status(const FoundVersion& version)>& visit);

}  // namespace piecework::engine
