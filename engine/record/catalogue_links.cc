// The part of the reader that says what pieces leave to other pieces; see catalogue_reader.h.
#include "engine/record/catalogue_reader.h"

namespace piecework::engine {
namespace {

Result<Cid> cid_of(ByteSpan bytes) {
  const Result<CidView> cid = decode_cid(bytes);
  if (cid) return Cid(*cid);
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "the catalogue is damaged: " + cid.error().message);
}

}  // namespace

Result<std::vector<Cid>> CatalogueReader::links_out_of(const CatalogueEntry& entry) {
  std::vector<Cid> links;
  if (entry.kind == ContentKind::kExternal) links.push_back(entry.cid);
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT cid FROM externals WHERE content=? ORDER BY position"));
  find->bind(1, entry.content_id);
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return links;
    PIECEWORK_ASSIGN(Cid link, cid_of(find->column_blob(0)));
    links.push_back(std::move(link));
  }
}

Status CatalogueReader::visit_links_below(std::string_view path,
                                          const std::function<Status(uint64_t, const CidView&)>& visit) {
  static_assert(static_cast<int>(ContentKind::kExternal) == 4);
  const size_t slash = path.rfind('/');
  const std::string_view directory = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const std::string columns = "SELECT c.piece, ifnull(x.cid, c.cid) FROM directories d JOIN entries e USING(directory) "
                              "JOIN contents c USING(content) LEFT JOIN externals x USING(content) WHERE ";
  const std::string end = " AND (c.kind=4 OR x.cid IS NOT NULL)";
  const auto run = [&visit](Statement& rows) -> Status {
    for (;;) {
      PIECEWORK_ASSIGN(const bool row, rows.step());
      if (!row) return {};
      PIECEWORK_ASSIGN(const Cid cid, cid_of(rows.column_blob(1)));
      PIECEWORK_TRY(visit(rows.column_uint64(0), cid.view()));
    }
  };
  PIECEWORK_ASSIGN(Statement itself, database_.prepare(columns + "d.path=? AND e.name=?" + end));
  itself.bind_blob(1, as_bytes(directory)).bind_blob(2, as_bytes(name));
  PIECEWORK_TRY(run(itself));
  // "/" is followed by "0": all paths that begin with `path` and "/".
  PIECEWORK_ASSIGN(Statement below, database_.prepare(columns + (path.empty() ? "1" : "(d.path=? OR (d.path>? AND "
                                                                                      "d.path<?))") + end));
  if (!path.empty()) {
    const std::string text(path);
    below.bind_blob(1, as_bytes(path)).bind_blob(2, as_bytes(text + "/")).bind_blob(3, as_bytes(text + "0"));
  }
  return run(below);
}

Result<std::vector<CataloguePart>> CatalogueReader::parts_of(uint64_t piece_id) {
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT DISTINCT p.path, p.item_path, p.cid FROM batches b JOIN parts p "
                                               "USING(batch_id) WHERE b.piece=?"));
  std::vector<CataloguePart> parts;
  find->bind(1, piece_id);
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return parts;
    CataloguePart& part = parts.emplace_back();
    part.path = as_text(find->column_blob(0));
    part.item_path = as_text(find->column_blob(1));
    PIECEWORK_ASSIGN(part.cid, cid_of(find->column_blob(2)));
  }
}

}  // namespace piecework::engine
