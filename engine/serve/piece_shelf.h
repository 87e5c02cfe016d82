// The finished pieces of output directories, by piece CID: for whoever gives them out.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "engine/record/receipt.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// A piece as its receipt has it.
struct ShelvedPiece {
  std::string directory;
  Receipt receipt;
};

// Safe for concurrent use. Memory: a receipt for each piece.
class PieceShelf {
 public:
  // Reads all receipts. Errors (source): of a directory that cannot be read; receipts that cannot be are left out.
  static Result<std::unique_ptr<PieceShelf>> open(std::vector<std::string> directories);

  // The piece of a CID of either version; none where no receipt names it. What has come since the receipts were read
  // last is looked for at most once a second.
  std::shared_ptr<const ShelvedPiece> find(const PieceCid& cid);
  size_t piece_count() const;

 private:
  // A root may belong to several payloads that differ in zeros at their ends: version 2 tells them apart.
  using Key = std::pair<Digest32, uint64_t>;
  using Pieces = std::map<Key, std::shared_ptr<const ShelvedPiece>>;

  explicit PieceShelf(std::vector<std::string> directories) : directories_(std::move(directories)) {}
  Result<Pieces> read_receipts() const;
  std::shared_ptr<const ShelvedPiece> look_up(const PieceCid& cid) const;

  const std::vector<std::string> directories_;
  mutable std::mutex mutex_;
  Pieces pieces_;
  std::chrono::steady_clock::time_point read_at_;
};

// The CAR of `piece`, open, where it is there with all its bytes.
std::optional<io::File> open_stored_car(const ShelvedPiece& piece);

}  // namespace piecework::engine
