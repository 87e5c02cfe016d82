// From what a user names, a path or a CID, to the items that a proof is about: which CIDs, below which pieces' roots.
//
// A file is one item. A directory may have a part in each of many pieces; where parts of larger files stand in it,
// which are no files of the directory, its other entries are items by themselves.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/proof/item_locator.h"
#include "engine/proof/piece_files.h"
#include "engine/proof/proof_node.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// The pieces of a request, opened when they are needed. Thread-compatible.
class PieceSet {
 public:
  explicit PieceSet(std::vector<PieceRecord> records);

  struct Place {
    size_t piece = 0;
    SectionPlace section;
  };

  size_t count() const { return records_.size(); }
  Result<PieceFiles*> open(size_t piece);
  // Closes a piece in which nothing was found.
  void close(size_t piece) { opened_[piece].reset(); }

  // Looks into `preferred` first, then into pieces that are open, then into the others.
  Result<std::optional<Place>> find(const Cid& cid, size_t preferred);
  // The block of a CID as the CID itself, or a piece has it. Errors: kNotFound (source).
  Result<std::vector<uint8_t>> read_block(const Cid& cid, size_t preferred);

 private:
  Result<std::optional<Place>> find_in(const Cid& cid, size_t piece);

  std::vector<PieceRecord> records_;
  std::vector<std::unique_ptr<PieceFiles>> opened_;
};

struct FoundItem {
  bool has_path = false;
  size_t piece = 0;               // whose root the path begins at
  std::vector<std::string> path;  // below FoundItems::base
  Cid cid;
};

struct FoundItems {
  std::vector<std::string> base;
  std::vector<FoundItem> items;
};

// "a/b/c" as names; empty for "", "." and "/". Errors: kInvalidArgument (configuration).
Result<std::vector<std::string>> split_path(std::string_view path);

// Looks for a path in every piece. No items where there is none. Errors: kConflict (configuration) where the path is
// a file with different content in several pieces; those of reading.
Result<FoundItems> find_path_items(const std::vector<std::string>& names, PieceSet& pieces);
// The same for a CID: with the path that a piece's list of files has for it, else without one.
Result<FoundItems> find_cid_items(const Cid& cid, PieceSet& pieces);

// The links that lead from `root` down `names`, those inside a HAMT too; blocks are read as by PieceSet::read_block.
// Errors: kNotFound (source) where there is no such path.
Result<std::vector<uint64_t>> find_route(const Cid& root, const std::vector<std::string>& names, size_t preferred,
                                         PieceSet& pieces);

}  // namespace piecework::engine
