// Says in which pieces an item may lie. Output directories of `pack` answer with everything they have; a catalogue
// knows better.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/record/catalogue_pieces.h"
#include "engine/record/receipt.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// A finished piece, and the directory that its files lie in.
struct PieceRecord {
  std::string directory;
  Receipt receipt;
};

class ItemLocator {
 public:
  virtual ~ItemLocator() = default;
  // Pieces that may hold the item, a part of it, or what stands above it; best first, none twice.
  virtual Result<std::vector<PieceRecord>> find_path(std::string_view path) = 0;
  virtual Result<std::vector<PieceRecord>> find_cid(const Cid& cid) = 0;
};

// Every piece that a receipt in output directories names, in the order of directories, plans and batches.
// Thread-compatible.
class DirectoryLocator : public ItemLocator {
 public:
  explicit DirectoryLocator(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  // Errors: kNotFound (source) where a directory has no receipt.
  Result<std::vector<PieceRecord>> find_path(std::string_view path) override;
  Result<std::vector<PieceRecord>> find_cid(const Cid& cid) override;

 private:
  Result<std::vector<PieceRecord>> all() const;

  std::vector<std::string> paths_;
};

// The pieces that a catalogue says an item needs, wherever they lie in the caller's directories; no receipt is read.
// Thread-compatible.
class CatalogueLocator : public ItemLocator {
 public:
  // REQUIRES: both outlive the locator.
  CatalogueLocator(CatalogueReader& reader, const PieceDirectories& directories)
      : reader_(reader), directories_(directories) {}

  // Errors: those of pieces_for_path and PieceDirectories::require.
  Result<std::vector<PieceRecord>> find_path(std::string_view path) override;
  Result<std::vector<PieceRecord>> find_cid(const Cid& cid) override;

 private:
  Result<std::vector<PieceRecord>> records_of(const NeededPieces& needed, std::string_view path);

  CatalogueReader& reader_;
  const PieceDirectories& directories_;
};

}  // namespace piecework::engine
