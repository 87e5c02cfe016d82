// See catalogue_pieces.h.
#include "engine/record/catalogue_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "io/file.h"

namespace piecework::engine {
namespace {

constexpr unsigned kExternalDepthMax = 64;  // of subtrees that lead on to other pieces

// An entry, and the pieces that a path to it goes through before its own; none where its own root leads to it.
struct Place {
  CatalogueEntry entry;
  std::vector<uint64_t> through;

  uint64_t top() const { return through.empty() ? entry.piece_id : through.front(); }
};

// The path without what stands for nothing: ".", and slashes at its ends and one behind the other.
std::string plain(std::string_view path) {
  std::string text;
  if (path == ".") return text;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (end > 0) text.append(text.empty() ? "" : "/").append(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return text;
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() || name.empty() ? directory + std::string(name) : fmt::format("{}/{}", directory, name);
}

class PieceSearch {
 public:
  PieceSearch(CatalogueReader& reader, const PieceDirectories& directories)
      : reader_(reader), directories_(directories) {}

  Result<NeededPieces> by_path(const std::string& path, const std::optional<std::string>& source) {
    PIECEWORK_ASSIGN(std::vector<Place> places, places_at(path, source, /*is_below_name=*/false));
    std::string spelled = path;
    if (source) {
      PIECEWORK_ASSIGN(std::vector<Place> below_name, places_at(joined(*source, path), source, /*is_below_name=*/true));
      if (!places.empty() && !below_name.empty()) {
        return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                    fmt::format("'{}' of source '{}' stands at its path in some pieces and below the source's name in "
                                "others: give the path as it is in the piece, without --source",
                                printable(path), printable(*source)));
      }
      if (places.empty()) {
        places = std::move(below_name);
        spelled = joined(*source, path);
      }
    }
    if (places.empty() && !source) {
      PIECEWORK_ASSIGN(places, sources_named(path));
      spelled.clear();
    }
    PIECEWORK_TRY(check_versions(path, places));
    return take(std::move(places), std::move(spelled));
  }

  Result<NeededPieces> by_cid(const Cid& cid) {
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> entries, reader_.find_cid(cid));
    std::vector<Place> places;
    for (const CatalogueEntry& entry : entries) places.push_back({entry, {}});
    return take(std::move(places), {});
  }

 private:
  Result<const CataloguePiece*> facts(uint64_t piece_id) {
    const auto known = facts_.find(piece_id);
    if (known != facts_.end()) return &known->second;
    PIECEWORK_ASSIGN(CataloguePiece piece, reader_.piece(piece_id));
    return &facts_.emplace(piece_id, std::move(piece)).first->second;
  }

  Result<bool> is_there(uint64_t piece_id) {
    const auto known = is_there_.find(piece_id);
    if (known != is_there_.end()) return known->second;
    PIECEWORK_ASSIGN(const CataloguePiece* const piece, facts(piece_id));
    PIECEWORK_ASSIGN(const std::optional<std::string> directory, directories_.find(*piece));
    return is_there_.emplace(piece_id, directory.has_value()).first->second;
  }

  Result<bool> has_source(uint64_t piece_id, const std::optional<std::string>& source, bool is_below_name) {
    if (!source) return true;
    PIECEWORK_ASSIGN(const std::vector<CatalogueBatch> batches, reader_.batches_of(piece_id));
    return std::ranges::any_of(batches, [&](const CatalogueBatch& batch) {
      return (batch.source_names.size() > 1) == is_below_name &&
             std::ranges::find(batch.source_names, *source) != batch.source_names.end();
    });
  }

  // ---- Places of a path ----

  Result<std::vector<Place>> places_at(const std::string& path, const std::optional<std::string>& source,
                                       bool is_below_name) {
    std::vector<Place> places;
    std::vector<Place> stand_ins;
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> entries, reader_.entries_at(path));
    for (const CatalogueEntry& entry : entries) {
      PIECEWORK_ASSIGN(const bool is_stand_in, reader_.is_stand_in(entry));
      (is_stand_in ? stand_ins : places).push_back({entry, {}});
    }
    if (places.empty()) places = std::move(stand_ins);
    PIECEWORK_TRY(add_below_links(path, {}, {}, places));
    std::vector<Place> wanted;
    for (Place& place : places) {
      PIECEWORK_ASSIGN(const bool is_wanted, has_source(place.top(), source, is_below_name));
      if (is_wanted) wanted.push_back(std::move(place));
    }
    return wanted;
  }

  // Goes up from `path`, in one piece or in all: where a directory or a shard of one is external, the rest of the path
  // is looked for below the places where that block stands.
  Status add_below_links(const std::string& path, std::optional<uint64_t> piece_id,
                         const std::vector<uint64_t>& through, std::vector<Place>& places) {
    if (through.size() == kExternalDepthMax) return {};
    for (std::string directory = path; !directory.empty();) {
      directory.resize(directory.rfind('/') == std::string::npos ? 0 : directory.rfind('/'));
      const std::string_view rest = std::string_view(path).substr(directory.empty() ? 0 : directory.size() + 1);
      PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> above, reader_.entries_at(directory));
      for (const CatalogueEntry& entry : above) {
        if (piece_id && entry.piece_id != *piece_id) continue;
        if (entry.kind != ContentKind::kDirectory && entry.kind != ContentKind::kExternal) continue;
        PIECEWORK_ASSIGN(const std::vector<Cid> links, reader_.links_out_of(entry));
        std::vector<uint64_t> chain = through;
        chain.push_back(entry.piece_id);
        for (const Cid& link : links) PIECEWORK_TRY(add_below_link(link, rest, chain, places));
      }
    }
    return {};
  }

  Status add_below_link(const Cid& link, std::string_view rest, const std::vector<uint64_t>& through,
                        std::vector<Place>& places) {
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> holders, reader_.find_cid(link));
    for (const CatalogueEntry& holder : holders) {
      if (holder.kind != ContentKind::kDirectory) continue;
      const std::string target = joined(holder.path, rest);
      if (!looked_at_.insert({through.front(), holder.piece_id, target}).second) continue;
      PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> here, reader_.entries_at(target));
      const size_t count_before = places.size();
      for (const CatalogueEntry& entry : here) {
        if (entry.piece_id == holder.piece_id) places.push_back({entry, through});
      }
      if (places.size() > count_before) continue;
      PIECEWORK_TRY(add_below_links(target, holder.piece_id, through, places));
    }
    return {};
  }

  // Roots that are a source of this name themselves, and no directory.
  Result<std::vector<Place>> sources_named(const std::string& name) {
    std::vector<Place> places;
    if (name.empty() || name.find('/') != std::string::npos) return places;
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> roots, reader_.entries_at({}));
    for (const CatalogueEntry& root : roots) {
      if (root.kind == ContentKind::kDirectory) continue;
      PIECEWORK_ASSIGN(const bool has_name, has_source(root.piece_id, name, /*is_below_name=*/false));
      if (has_name) places.push_back({root, {}});
    }
    return places;
  }

  // A directory may have a part in each of several pieces; anything else has one content, or the user has to choose.
  static Status check_versions(const std::string& path, const std::vector<Place>& places) {
    const auto is_directory = [](const Place& place) {
      return place.entry.kind == ContentKind::kDirectory || place.entry.kind == ContentKind::kExternal;
    };
    const auto one = std::ranges::find_if_not(places, is_directory);
    if (one == places.end()) return {};
    const auto other =
        std::ranges::find_if(places, [&](const Place& place) { return place.entry.cid != one->entry.cid; });
    if (other == places.end()) return {};
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' is {} in one piece and {} in another: name one by its CID; find lists them",
                            printable(path), one->entry.cid.text(), other->entry.cid.text()));
  }

  // ---- What the places need ----

  // Of places with equal content the one that is best: all of its pieces are there, and it is not external itself.
  Result<std::vector<Place>> chosen(std::vector<Place> places) {
    std::map<Cid, std::pair<unsigned, size_t>> best;  // by content: its rank and place
    for (size_t i = 0; i < places.size(); ++i) {
      PIECEWORK_ASSIGN(bool all_there, is_there(places[i].entry.piece_id));
      for (const uint64_t piece_id : places[i].through) {
        PIECEWORK_ASSIGN(const bool there, is_there(piece_id));
        all_there = all_there && there;
      }
      const unsigned rank = (all_there ? 2u : 0u) + (places[i].entry.kind == ContentKind::kExternal ? 0u : 1u);
      const auto [known, is_new] = best.try_emplace(places[i].entry.cid, rank, i);
      if (!is_new && known->second.first < rank) known->second = {rank, i};
    }
    std::vector<size_t> indexes;
    for (const auto& [cid, rank_and_index] : best) indexes.push_back(rank_and_index.second);
    std::ranges::sort(indexes);
    std::vector<Place> kept;
    for (const size_t index : indexes) kept.push_back(std::move(places[index]));
    return kept;
  }

  Result<NeededPieces> take(std::vector<Place> places, std::string path) {
    PIECEWORK_ASSIGN(places, chosen(std::move(places)));
    NeededPieces needed{.path = std::move(path)};
    for (const Place& place : places) add(place.top());
    needed.top_count = order_.size();
    std::map<std::string, std::set<uint64_t>> pieces_at;
    for (const Place& place : places) {
      for (const uint64_t piece_id : place.through) add(piece_id);
      add(place.entry.piece_id);
      pieces_at[place.entry.path].insert(place.entry.piece_id);
    }
    for (const auto& [below, piece_ids] : pieces_at) PIECEWORK_TRY(note_links(below, piece_ids));
    PIECEWORK_TRY(follow_links());
    for (const uint64_t piece_id : order_) {
      PIECEWORK_ASSIGN(const CataloguePiece* const piece, facts(piece_id));
      needed.pieces.push_back(*piece);
    }
    return needed;
  }

  void add(uint64_t piece_id) {
    if (needed_.insert(piece_id).second) order_.push_back(piece_id);
  }

  Status note_links(const std::string& path, const std::set<uint64_t>& piece_ids) {
    return reader_.visit_links_below(path, [&](uint64_t piece_id, const CidView& cid) -> Status {
      if (piece_ids.contains(piece_id) && links_.insert(Cid(cid)).second) pending_.emplace_back(cid);
      return {};
    });
  }

  // Adds a piece for every link that is pending, and for what that piece leaves to others in turn.
  Status follow_links() {
    while (!pending_.empty()) {
      const Cid link = std::move(pending_.back());
      pending_.pop_back();
      PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> holders, reader_.find_cid(link));
      const CatalogueEntry* best = nullptr;
      unsigned best_rank = 0;
      for (const CatalogueEntry& holder : holders) {
        PIECEWORK_ASSIGN(const bool there, is_there(holder.piece_id));
        const unsigned rank = !there ? 1 : needed_.contains(holder.piece_id) ? 3 : 2;
        if (rank <= best_rank) continue;
        best = &holder;
        best_rank = rank;
      }
      if (best == nullptr) continue;  // in no piece as an item
      add(best->piece_id);
      PIECEWORK_TRY(note_links(best->path, {best->piece_id}));
    }
    return {};
  }

  CatalogueReader& reader_;
  const PieceDirectories& directories_;
  std::map<uint64_t, CataloguePiece> facts_;
  std::map<uint64_t, bool> is_there_;
  std::set<std::tuple<uint64_t, uint64_t, std::string>> looked_at_;  // top, piece and path of add_below_link
  std::set<uint64_t> needed_;
  std::vector<uint64_t> order_;  // of needed_, as they were added
  std::set<Cid> links_;          // that were met
  std::vector<Cid> pending_;     // of links_, not yet followed
};

}  // namespace

Result<std::optional<std::string>> PieceDirectories::find(const CataloguePiece& piece) const {
  for (const std::string& directory : directories_) {
    const Result<io::File> file = io::open_named(fmt::format("{}/{}", directory, file_name(piece)), ErrorSide::kSource);
    if (file) return directory;
    if (file.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(file.error());
  }
  return std::nullopt;
}

Result<std::string> PieceDirectories::require(const CataloguePiece& piece) const {
  PIECEWORK_ASSIGN(std::optional<std::string> directory, find(piece));
  if (directory) return std::move(*directory);
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("piece {} ({}) is needed, and no directory of --pieces has its '{}': name the directory that "
                          "has it with a further --pieces, or put the piece's files into one of them",
                          piece.cid_v1, piece.cid_v2, file_name(piece)));
}

Result<NeededPieces> pieces_for_path(CatalogueReader& reader, std::string_view path,
                                     const std::optional<std::string>& source, const PieceDirectories& directories) {
  return PieceSearch(reader, directories).by_path(plain(path), source);
}

Result<NeededPieces> pieces_for_cid(CatalogueReader& reader, const Cid& cid, const PieceDirectories& directories) {
  return PieceSearch(reader, directories).by_cid(cid);
}

}  // namespace piecework::engine
