// Which pieces does an item need? Those whose roots lead to it, and those that hold what these leave to others: parts,
// subtrees of a cut DAG, known blocks.
//
// Where several pieces hold the same content, one that lies in the caller's directories is taken. A catalogue knows
// files, directories and parts, no blocks inside files: what a piece leaves external inside one that another piece
// holds whole (pack --known-grain block) is not found, and missing where it is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/record/catalogue_reader.h"

namespace piecework::engine {

// Directories that pieces lie in. Thread-compatible.
class PieceDirectories {
 public:
  using NameOf = std::string (*)(const std::string& piece_cid_v1);  // car_name, tree_name

  // A piece lies where its file of this name does.
  PieceDirectories(std::vector<std::string> directories, NameOf name_of)
      : directories_(std::move(directories)), name_of_(name_of) {}

  // The first that has the piece. Errors: of opening.
  Result<std::optional<std::string>> find(const CataloguePiece& piece) const;
  // Errors: also kNotFound (source) where none has it.
  Result<std::string> require(const CataloguePiece& piece) const;
  std::string file_name(const CataloguePiece& piece) const { return name_of_(piece.cid_v1); }

 private:
  std::vector<std::string> directories_;
  NameOf name_of_;
};

struct NeededPieces {
  std::vector<CataloguePiece> pieces;  // none twice; none at all where nothing is found
  size_t top_count = 0;                // the first so many are those whose roots lead to the item
  std::string path;                    // of the item below these roots
};

// For a path as in the piece, or with `source` as in FindRequest; "" and "." are everything. A source that is a single
// file is found by its name. Memory: a CID for each link that leads out of a piece. Errors: kInvalidArgument
// (config) for a file that has different content in different pieces; of reading.
Result<NeededPieces> pieces_for_path(CatalogueReader& reader, std::string_view path,
                                     const std::optional<std::string>& source, const PieceDirectories& directories);
// For the DAG of a file, directory or part; the first piece is one that holds its root.
Result<NeededPieces> pieces_for_cid(CatalogueReader& reader, const Cid& cid, const PieceDirectories& directories);

}  // namespace piecework::engine
