// See item_locator.h.
#include "engine/proof/item_locator.h"

#include <fmt/format.h>

#include <set>

#include "engine/record/receipt_walk.h"

namespace piecework::engine {
namespace {

Status add_records(const std::string& path, std::set<std::string>& pieces, std::vector<PieceRecord>& records) {
  bool has_receipts = false;
  PIECEWORK_TRY(visit_receipts(path, [&](const FoundReceipt& found) -> Status {
    if (!found.receipt) return tl::unexpected<Error>(found.receipt.error());
    has_receipts = true;
    if (pieces.insert(found.receipt->piece_cid_v1).second) records.push_back({path, *found.receipt});
    return {};
  }));
  if (has_receipts) return {};
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("'{}' has no receipts: expected an output directory of pack", printable(path)));
}

}  // namespace

Result<std::vector<PieceRecord>> DirectoryLocator::find_path(std::string_view) { return all(); }
Result<std::vector<PieceRecord>> DirectoryLocator::find_cid(const Cid&) { return all(); }

Result<std::vector<PieceRecord>> DirectoryLocator::all() const {
  std::vector<PieceRecord> records;
  std::set<std::string> pieces;
  for (const std::string& path : paths_) PIECEWORK_TRY(add_records(path, pieces, records));
  return records;
}

Result<std::vector<PieceRecord>> CatalogueLocator::find_path(std::string_view path) {
  PIECEWORK_ASSIGN(const NeededPieces needed, pieces_for_path(reader_, path, std::nullopt, directories_));
  return records_of(needed, path);
}

Result<std::vector<PieceRecord>> CatalogueLocator::find_cid(const Cid& cid) {
  PIECEWORK_ASSIGN(const NeededPieces needed, pieces_for_cid(reader_, cid, directories_));
  return records_of(needed, {});
}

Result<std::vector<PieceRecord>> CatalogueLocator::records_of(const NeededPieces& needed, std::string_view path) {
  std::vector<PieceRecord> records;
  for (const CataloguePiece& piece : needed.pieces) {
    PieceRecord& record = records.emplace_back();
    PIECEWORK_ASSIGN(record.directory, directories_.require(piece));
    record.receipt.piece_cid_v1 = piece.cid_v1;
    record.receipt.piece_cid_v2 = piece.cid_v2;
    record.receipt.root_cid = piece.root.text();
    record.receipt.payload_bytes = piece.payload_bytes;
    PIECEWORK_ASSIGN(const std::vector<CatalogueBatch> batches, reader_.batches_of(piece.id));
    for (const CatalogueBatch& batch : batches) {
      const bool is_source = batch.source_names == std::vector<std::string>{std::string(path)};
      if (is_source || &batch == &batches.front()) record.receipt.source_names = batch.source_names;
    }
    PIECEWORK_ASSIGN(const std::vector<CataloguePart> parts, reader_.parts_of(piece.id));
    for (const CataloguePart& part : parts) {
      record.receipt.parts.push_back({part.path, part.item_path, part.cid.text()});
    }
  }
  return records;
}

}  // namespace piecework::engine
