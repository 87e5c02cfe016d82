// Says in which pieces an item may lie. An output directory of `pack` answers with everything it has; a catalogue may
// know better.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
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

// Every piece that a receipt in an output directory names, in the order of plans and batches. Thread-compatible.
class DirectoryLocator : public ItemLocator {
 public:
  explicit DirectoryLocator(std::string path) : path_(std::move(path)) {}

  // Errors: kNotFound (source) where there is no receipt.
  Result<std::vector<PieceRecord>> find_path(std::string_view path) override;
  Result<std::vector<PieceRecord>> find_cid(const Cid& cid) override;

 private:
  Result<std::vector<PieceRecord>> all() const;

  std::string path_;
};

}  // namespace piecework::engine
