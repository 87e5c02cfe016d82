#include "engine/record/catalogue_find.h"

#include <algorithm>

#include "engine/codec/piece_cid.h"

namespace piecework::engine {
namespace {

class Find {
 public:
  Find(CatalogueReader& reader, const FindRequest& request, const std::function<Status(const FoundVersion&)>& visit)
      : reader_(reader), request_(request), visit_(visit) {}

  Status run() {
    if (request_.is_prefix) return by_prefix();
    if (parse_piece_cid(request_.what)) {
      PIECEWORK_TRY(by_piece());
    } else if (const Result<Cid> cid = parse_cid(request_.what); cid) {
      PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> entries, reader_.find_cid(*cid));
      for (const CatalogueEntry& entry : entries) PIECEWORK_TRY(report(entry));
    }
    return found_any_ ? Status() : by_path();
  }

 private:
  Status by_piece() {
    PIECEWORK_ASSIGN(const std::optional<CataloguePiece> piece, reader_.find_piece(request_.what));
    if (!piece) return {};
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> roots, reader_.find_cid(piece->root));
    for (const CatalogueEntry& root : roots) {
      if (root.piece_id != piece->id) continue;
      PIECEWORK_TRY(report(root));
      break;
    }
    return {};
  }

  // In plans with several sources paths begin with the source's name, in others they do not.
  Status by_path() {
    std::string path = request_.what;
    while (path.ends_with('/')) path.pop_back();
    PIECEWORK_ASSIGN(std::vector<CatalogueEntry> entries, reader_.find_path(path));
    for (const CatalogueEntry& entry : entries) PIECEWORK_TRY(report(entry, Spelling::kInPiece));
    if (!request_.source) return {};
    PIECEWORK_ASSIGN(entries, reader_.find_path(path.empty() ? *request_.source : *request_.source + "/" + path));
    for (const CatalogueEntry& entry : entries) PIECEWORK_TRY(report(entry, Spelling::kBelowName));
    return {};
  }

  Status by_prefix() {
    PIECEWORK_TRY(reader_.visit_prefix(request_.what, [this](const CatalogueEntry& entry) {
      return report(entry, Spelling::kInPiece);
    }));
    if (!request_.source) return {};
    return reader_.visit_prefix(*request_.source + "/" + request_.what, [this](const CatalogueEntry& entry) {
      return report(entry, Spelling::kBelowName);
    });
  }

  // How the path that led to an entry was made of what was asked.
  enum class Spelling : uint8_t { kAny, kInPiece, kBelowName };

  // Whether a piece has the source that was asked for, with paths spelled like this.
  bool is_wanted(const std::vector<CatalogueBatch>& batches, const std::string& path, Spelling spelling) const {
    if (!request_.source) return true;
    return std::any_of(batches.begin(), batches.end(), [&](const CatalogueBatch& batch) {
      const std::vector<std::string>& names = batch.source_names;
      if (std::find(names.begin(), names.end(), *request_.source) == names.end()) return false;
      if (names.size() == 1) return spelling != Spelling::kBelowName;
      const bool is_below = path == *request_.source || path.starts_with(*request_.source + "/");
      return spelling != Spelling::kInPiece && is_below;
    });
  }

  Result<FoundPiece> describe(uint64_t piece_id) {
    FoundPiece piece;
    PIECEWORK_ASSIGN(piece.facts, reader_.piece(piece_id));
    PIECEWORK_ASSIGN(piece.batches, reader_.batches_of(piece_id));
    PIECEWORK_ASSIGN(piece.deals, reader_.deals_of(piece_id));
    return piece;
  }

  Status report(const CatalogueEntry& entry, Spelling spelling = Spelling::kAny) {
    PIECEWORK_ASSIGN(FoundPiece own, describe(entry.piece_id));
    if (!is_wanted(own.batches, entry.path, spelling)) return {};
    FoundVersion version{.entry = entry};
    version.pieces.push_back(std::move(own));
    const auto [begin, end] = request_.range.value_or(std::pair<uint64_t, uint64_t>(0, UINT64_MAX));
    PIECEWORK_ASSIGN(std::vector<CatalogueRange> ranges, reader_.ranges_of(entry, begin, end));
    for (CatalogueRange& range : ranges) {
      if (!range.is_known) {
        version.missing.push_back(std::move(range));
        continue;
      }
      version.dag_bytes += range.car_bytes;
      auto piece = std::find_if(version.pieces.begin(), version.pieces.end(),
                                [&](const FoundPiece& held) { return held.facts.id == range.piece_id; });
      if (piece == version.pieces.end()) {
        PIECEWORK_ASSIGN(FoundPiece other, describe(range.piece_id));
        piece = version.pieces.insert(version.pieces.end(), std::move(other));
      }
      piece->ranges.push_back(std::move(range));
    }
    found_any_ = true;
    return visit_(version);
  }

  CatalogueReader& reader_;
  const FindRequest& request_;
  const std::function<Status(const FoundVersion&)>& visit_;
  bool found_any_ = false;
};

}  // namespace

Status find_in_catalogue(CatalogueReader& reader, const FindRequest& request,
                         const std::function<Status(const FoundVersion& version)>& visit) {
  return Find(reader, request, visit).run();
}

}  // namespace piecework::engine
