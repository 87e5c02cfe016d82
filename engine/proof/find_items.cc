// See find_items.h.
#include "engine/proof/find_items.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/multibase.h"
#include "engine/record/batch_state.h"
#include "engine/record/file_row.h"
#include "engine/record/sidecar_content.h"
#include "engine/restore/verify_names.h"

namespace piecework::engine {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) path += (path.empty() ? "" : "/") + name;
  return path;
}

bool is_directory(const ProofNode& node) {
  return node.kind == ProofNodeKind::kDirectory || node.kind == ProofNodeKind::kHamtShard;
}

// Whether `path` is below `directory`; everything but itself is below "".
bool is_below(std::string_view path, std::string_view directory) {
  if (directory.empty()) return !path.empty();
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

class PathSearch {
 public:
  PathSearch(PieceSet& pieces, size_t piece) : pieces_(pieces), piece_(piece) {}

  struct Target {
    Cid cid;
    std::vector<uint64_t> route;  // links from the root
  };
  // Where `names` lead from the piece's root.
  Result<std::optional<Target>> resolve(const Cid& root, const std::vector<std::string>& names) {
    Target target{.cid = root};
    for (size_t i = 0, level = 0; i < names.size();) {
      if (target.cid.view().codec != kCodecDagPb) return std::optional<Target>();
      PIECEWORK_ASSIGN(const std::vector<uint8_t> block, pieces_.read_block(target.cid, piece_));
      PIECEWORK_ASSIGN(const ProofNode node, read_proof_node(target.cid.view(), block));
      if (!is_directory(node)) return std::optional<Target>();
      PIECEWORK_ASSIGN(const std::optional<ProofEntry> entry,
                       find_entry(node, names[i], static_cast<unsigned>(level)));
      if (!entry) return std::optional<Target>();
      target.cid = Cid(entry->cid);
      target.route.push_back(entry->link);
      level = entry->is_shard ? level + 1 : 0;
      if (!entry->is_shard) ++i;
    }
    return std::optional(std::move(target));
  }

  Result<bool> leads_to_directory(const Cid& cid) {
    if (cid.view().codec != kCodecDagPb) return false;
    PIECEWORK_ASSIGN(const std::vector<uint8_t> block, pieces_.read_block(cid, piece_));
    PIECEWORK_ASSIGN(const ProofNode node, read_proof_node(cid.view(), block));
    return is_directory(node);
  }

  struct Entry {
    std::string name;
    Cid cid;
  };
  Result<std::vector<Entry>> entries(const Cid& directory) {
    std::vector<Entry> found;
    std::vector<Cid> pending = {directory};
    while (!pending.empty()) {
      const Cid cid = std::move(pending.back());
      pending.pop_back();
      PIECEWORK_ASSIGN(const std::vector<uint8_t> block, pieces_.read_block(cid, piece_));
      PIECEWORK_ASSIGN(const ProofNode node, read_proof_node(cid.view(), block));
      const bool is_shard = node.kind == ProofNodeKind::kHamtShard;
      for (const ProofChild& child : node.children) {
        const std::string_view name = child.name.substr(is_shard ? node.shape.prefix_bytes : 0);
        if (is_shard && name.empty())
          pending.emplace_back(child.cid);
        else
          found.push_back({std::string(name), Cid(child.cid)});
      }
    }
    return found;
  }

 private:
  PieceSet& pieces_;
  size_t piece_;
};

// Adds `cid`, which stands at `names` + `path` in the piece, without what is a part of a larger item.
Status add_items(PieceSet& pieces, size_t piece, const std::vector<std::string>& names, const Cid& cid,
                 std::vector<FoundItem>& items) {
  PIECEWORK_ASSIGN(PieceFiles* const files, pieces.open(piece));
  PathSearch search(pieces, piece);
  std::vector<FoundItem> pending = {{true, piece, {}, cid}};
  while (!pending.empty()) {
    FoundItem item = std::move(pending.back());
    pending.pop_back();
    std::vector<std::string> whole = names;
    whole.insert(whole.end(), item.path.begin(), item.path.end());
    const std::string path = join(whole);
    const std::vector<ReceiptPart>& parts = files->receipt().parts;
    const bool is_cut = std::ranges::any_of(
        parts, [&](const ReceiptPart& part) { return part.item_path == path && is_below(part.path, path); });
    if (is_cut) continue;
    const bool holds_parts =
        std::ranges::any_of(parts, [&](const ReceiptPart& part) { return is_below(part.path, path); });
    if (!holds_parts) {
      items.push_back(std::move(item));
      continue;
    }
    PIECEWORK_ASSIGN(const std::vector<PathSearch::Entry> entries, search.entries(item.cid));
    for (const PathSearch::Entry& entry : entries) {
      FoundItem child{true, piece, item.path, entry.cid};
      child.path.push_back(entry.name);
      pending.push_back(std::move(child));
    }
  }
  return {};
}

// Files: one item, wherever it lies. Directories: each piece's part of it, equal ones once.
Status choose_items(PieceSet& pieces, const std::vector<std::string>& names, std::vector<FoundItem>& items) {
  std::stable_sort(items.begin(), items.end(),
                   [](const FoundItem& a, const FoundItem& b) { return a.path < b.path; });
  const auto is_equal = [](const FoundItem& a, const FoundItem& b) { return a.path == b.path && a.cid == b.cid; };
  items.erase(std::unique(items.begin(), items.end(), is_equal), items.end());
  for (size_t i = 0; i + 1 < items.size(); ++i) {
    if (items[i].path != items[i + 1].path) continue;
    for (const FoundItem& item : {items[i], items[i + 1]}) {
      PathSearch search(pieces, item.piece);
      PIECEWORK_ASSIGN(const bool is_directory, search.leads_to_directory(item.cid));
      if (is_directory) continue;
      std::vector<std::string> whole = names;
      whole.insert(whole.end(), item.path.begin(), item.path.end());
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("'{}' is {} in one piece and {} in another: name one by its CID",
                              printable(join(whole)), items[i].cid.text(), items[i + 1].cid.text()));
    }
  }
  return {};
}

std::optional<std::string> path_of_key(std::string_view key) {
  if (key.starts_with("path:")) return std::string(key.substr(5));
  std::string base64(key.substr(key.find(':') + 1));
  while (base64.ends_with('=')) base64.pop_back();
  const auto bytes = decode_multibase("m" + base64);
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

// The first path at which a piece's list of files has `cid`.
Result<std::optional<std::string>> listed_path(const PieceRecord& record, const Cid& cid) {
  const std::string path = record.directory + "/" + files_name(record.receipt.piece_cid_v1);
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
  std::optional<std::string> found;
  PIECEWORK_TRY(read_sidecar_content(file, /*has_index=*/false, [&](ByteSpan lines) {
    return visit_file_rows(lines, [&](std::string_view, const std::optional<FileRow>& row) -> Status {
      if (!found && row && row->cid == cid) found = path_of_key(row->key);
      return {};
    });
  }));
  return found;
}

}  // namespace

PieceSet::PieceSet(std::vector<PieceRecord> records) : records_(std::move(records)), opened_(records_.size()) {}

Result<PieceFiles*> PieceSet::open(size_t piece) {
  if (!opened_[piece]) {
    PIECEWORK_ASSIGN(opened_[piece], PieceFiles::open(records_[piece]));
  }
  return opened_[piece].get();
}

Result<std::optional<PieceSet::Place>> PieceSet::find_in(const Cid& cid, size_t piece) {
  PIECEWORK_ASSIGN(PieceFiles* const files, open(piece));
  PIECEWORK_ASSIGN(const std::optional<SectionPlace> section, files->find(cid));
  if (!section) return std::optional<Place>();
  return std::optional(Place{piece, *section});
}

Result<std::optional<PieceSet::Place>> PieceSet::find(const Cid& cid, size_t preferred) {
  PIECEWORK_ASSIGN(std::optional<Place> place, find_in(cid, preferred));
  if (place) return place;
  std::vector<bool> was_open;
  for (const auto& piece : opened_) was_open.push_back(piece != nullptr);
  for (size_t pass = 0; pass < 2 && !place; ++pass) {
    for (size_t piece = 0; piece < records_.size() && !place; ++piece) {
      if (piece == preferred || was_open[piece] != (pass == 0)) continue;
      PIECEWORK_ASSIGN(place, find_in(cid, piece));
      if (!place && pass == 1) close(piece);
    }
  }
  return place;
}

Result<std::vector<uint8_t>> PieceSet::read_block(const Cid& cid, size_t preferred) {
  const CidView view = cid.view();
  if (view.is_identity()) return std::vector<uint8_t>(view.multihash.digest.begin(), view.multihash.digest.end());
  PIECEWORK_ASSIGN(const std::optional<Place> place, find(cid, preferred));
  if (place) return opened_[place->piece]->read_block(cid, place->section);
  return fail(ErrorCode::kNotFound, ErrorSide::kSource, fmt::format("{} is in none of the pieces", cid.text()));
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> names;
  if (path == ".") return names;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty()) continue;
    if (const char* reason = unsafe_name_reason(name)) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("'{}' is no path in a piece: {}", printable(name), reason));
    }
    names.emplace_back(name);
  }
  return names;
}

Result<FoundItems> find_path_items(const std::vector<std::string>& names, PieceSet& pieces) {
  FoundItems found{.base = names};
  FoundItems source;  // a root that is the source of this name itself
  for (size_t piece = 0; piece < pieces.count(); ++piece) {
    PIECEWORK_ASSIGN(PieceFiles* const files, pieces.open(piece));
    PathSearch search(pieces, piece);
    const size_t before = found.items.size() + source.items.size();
    PIECEWORK_ASSIGN(const auto target, search.resolve(files->root_cid(), names));
    if (target) PIECEWORK_TRY(add_items(pieces, piece, names, target->cid, found.items));
    if (!target && files->receipt().source_names == names) {
      PIECEWORK_ASSIGN(const bool is_directory, search.leads_to_directory(files->root_cid()));
      if (!is_directory) source.items.push_back({true, piece, {}, files->root_cid()});
    }
    if (found.items.size() + source.items.size() == before) pieces.close(piece);
  }
  if (found.items.empty()) found = std::move(source);
  PIECEWORK_TRY(choose_items(pieces, found.base, found.items));
  return found;
}

Result<FoundItems> find_cid_items(const Cid& cid, PieceSet& pieces) {
  FoundItems found;
  if (pieces.count() == 0) return found;
  PIECEWORK_ASSIGN(const std::optional<PieceSet::Place> place, pieces.find(cid, 0));
  if (!place) return found;
  PIECEWORK_ASSIGN(PieceFiles* const files, pieces.open(place->piece));
  PIECEWORK_ASSIGN(const std::optional<std::string> path, listed_path(files->record(), cid));
  if (path) {
    PIECEWORK_ASSIGN(found.base, split_path(*path));
    PathSearch search(pieces, place->piece);
    PIECEWORK_ASSIGN(const auto at_path, search.resolve(files->root_cid(), found.base));
    if (at_path && at_path->cid == cid) {
      found.items.push_back({true, place->piece, {}, cid});
      return found;
    }
    found.base.clear();
  }
  const bool is_root = files->root_cid() == cid;
  found.items.push_back({is_root, place->piece, {}, cid});
  return found;
}

Result<std::vector<uint64_t>> find_route(const Cid& root, const std::vector<std::string>& names, size_t preferred,
                                         PieceSet& pieces) {
  PathSearch search(pieces, preferred);
  PIECEWORK_ASSIGN(auto target, search.resolve(root, names));
  if (target) return std::move(target->route);
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("{}: no path '{}'", root.text(), printable(join(names))));
}

}  // namespace piecework::engine
