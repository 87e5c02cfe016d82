#include "engine/serve/piece_shelf.h"

#include "engine/record/batch_state.h"
#include "engine/record/receipt_walk.h"

namespace piecework::engine {
namespace {

constexpr std::chrono::seconds kRereadInterval{1};

}  // namespace

Result<std::unique_ptr<PieceShelf>> PieceShelf::open(std::vector<std::string> directories) {
  std::unique_ptr<PieceShelf> shelf(new PieceShelf(std::move(directories)));
  PIECEWORK_ASSIGN(shelf->pieces_, shelf->read_receipts());
  shelf->read_at_ = std::chrono::steady_clock::now();
  return shelf;
}

Result<PieceShelf::Pieces> PieceShelf::read_receipts() const {
  Pieces pieces;
  for (const std::string& directory : directories_) {
    PIECEWORK_TRY(io::open_named_directory(directory, ErrorSide::kSource));  // one that is missing has no receipts
    PIECEWORK_TRY(visit_receipts(directory, [&](const FoundReceipt& found) -> Status {
      if (!found.receipt) return {};
      const Result<PieceCid> cid = parse_piece_cid(found.receipt->piece_cid_v1);
      if (!cid) return {};
      auto& place = pieces[Key{cid->root, found.receipt->payload_bytes}];
      auto piece = std::make_shared<const ShelvedPiece>(ShelvedPiece{directory, *found.receipt});
      // Of copies in several directories one with a CAR is better.
      if (place == nullptr || (!open_stored_car(*place) && open_stored_car(*piece))) place = std::move(piece);
      return {};
    }));
  }
  return pieces;
}

std::shared_ptr<const ShelvedPiece> PieceShelf::look_up(const PieceCid& cid) const {
  if (cid.version == 2) {
    const auto found = pieces_.find(Key{cid.root, cid.payload_bytes});
    return found == pieces_.end() ? nullptr : found->second;
  }
  const auto found = pieces_.lower_bound(Key{cid.root, 0});
  return found == pieces_.end() || found->first.first != cid.root ? nullptr : found->second;
}

std::shared_ptr<const ShelvedPiece> PieceShelf::find(const PieceCid& cid) {
  const std::lock_guard lock(mutex_);
  if (auto piece = look_up(cid)) return piece;
  const auto now = std::chrono::steady_clock::now();
  if (now - read_at_ < kRereadInterval) return nullptr;
  // A directory that cannot be read just now takes nothing away from what is known.
  if (auto pieces = read_receipts()) pieces_ = std::move(*pieces);
  read_at_ = std::chrono::steady_clock::now();
  return look_up(cid);
}

size_t PieceShelf::piece_count() const {
  const std::lock_guard lock(mutex_);
  return pieces_.size();
}

std::optional<io::File> open_stored_car(const ShelvedPiece& piece) {
  auto file = io::open_named(piece.directory + "/" + car_name(piece.receipt.piece_cid_v1), ErrorSide::kSource);
  if (!file) return std::nullopt;
  const auto stamp = file->stamp();
  if (!stamp || !stamp->is_regular() || stamp->size_bytes != piece.receipt.payload_bytes) return std::nullopt;
  return std::move(*file);
}

}  // namespace piecework::engine
