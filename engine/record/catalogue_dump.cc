#include "engine/record/catalogue_dump.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kProblemsMax = 100;

void set_bytes(Json& object, const std::string& key, std::string_view bytes) {
  if (is_utf8(bytes))
    object[key] = bytes;
  else
    object[key + "_base64"] = base64(as_bytes(bytes));
}

std::string_view name_of(uint64_t kind) {
  constexpr std::string_view kNames[] = {"file", "symlink", "directory", "other", "external"};
  return kind < std::size(kNames) ? kNames[kind] : "unknown";
}

class Dump {
 public:
  Dump(Database& database, const std::function<Status(const std::string&)>& line) : database_(database), line_(line) {}

  Status run() {
    PIECEWORK_TRY(pieces());
    PIECEWORK_TRY(files("SELECT c.content, c.kind, c.size_bytes, c.car_offset_bytes, c.car_bytes, c.cid, p.cid_v1, "
                        "d.path, e.name FROM entries e JOIN directories d USING(directory) JOIN contents c "
                        "USING(content) JOIN pieces p USING(piece) ORDER BY d.path, e.name, p.cid_v1, c.cid",
                        true));
    PIECEWORK_TRY(files("SELECT c.content, c.kind, c.size_bytes, c.car_offset_bytes, c.car_bytes, c.cid, p.cid_v1 FROM "
                        "contents c JOIN pieces p USING(piece) WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE "
                        "e.content=c.content) ORDER BY p.cid_v1, c.car_offset_bytes, c.cid",
                        false));
    PIECEWORK_TRY(batches());
    return deals();
  }

 private:
  // Calls `row` for every row of `sql`.
  template <class Row>
  Status each(Statement& statement, Row row) {
    for (;;) {
      PIECEWORK_ASSIGN(const bool more, statement.step());
      if (!more) return {};
      PIECEWORK_TRY(row());
    }
  }
  Status put(const Json& json) { return line_(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

  Status pieces() {
    PIECEWORK_ASSIGN(Statement rows, database_.prepare("SELECT cid_v1, cid_v2, root_cid, payload_bytes, padded_bytes, "
                                                       "block_count FROM pieces ORDER BY cid_v1"));
    return each(rows, [&]() -> Status {
      return put({{"table", "pieces"},
                  {"piece_cid_v1", rows.column_text(0)},
                  {"piece_cid_v2", rows.column_text(1)},
                  {"root_cid", cid_text(rows.column_blob(2))},
                  {"payload_bytes", rows.column_uint64(3)},
                  {"padded_bytes", rows.column_uint64(4)},
                  {"block_count", rows.column_uint64(5)}});
    });
  }

  Status files(const char* sql, bool has_path) {
    PIECEWORK_ASSIGN(Statement rows, database_.prepare(sql));
    PIECEWORK_ASSIGN(Statement ranges, database_.prepare("SELECT file_offset_bytes, file_bytes, car_offset_bytes, "
                                                         "car_bytes, leaf_bytes, section_bytes FROM ranges WHERE "
                                                         "content=? ORDER BY position"));
    PIECEWORK_ASSIGN(Statement externals, database_.prepare("SELECT file_offset_bytes, file_bytes, cid FROM externals "
                                                            "WHERE content=? ORDER BY position"));
    return each(rows, [&]() -> Status {
      Json json = {{"table", "files"}};
      if (has_path) {
        std::string path(as_text(rows.column_blob(7)));
        const std::string_view name = as_text(rows.column_blob(8));
        if (!path.empty() && !name.empty()) path += '/';
        set_bytes(json, "path", path.append(name));
      }
      json["kind"] = name_of(rows.column_uint64(1));
      json["cid"] = cid_text(rows.column_blob(5));
      json["size_bytes"] = rows.column_uint64(2);
      json["piece_cid_v1"] = rows.column_text(6);
      json["car_offset_bytes"] = rows.column_uint64(3);
      json["car_bytes"] = rows.column_uint64(4);
      ranges.bind(1, rows.column_uint64(0));
      PIECEWORK_TRY(each(ranges, [&]() -> Status {
        Json range = Json::array();
        for (int i = 0; i < 6; ++i) range.push_back(ranges.column_uint64(i));
        json["ranges"].push_back(std::move(range));
        return {};
      }));
      externals.bind(1, rows.column_uint64(0));
      PIECEWORK_TRY(each(externals, [&]() -> Status {
        json["external"].push_back({externals.column_uint64(0), externals.column_uint64(1),
                                    cid_text(externals.column_blob(2))});
        return {};
      }));
      return put(json);
    });
  }

  Status batches() {
    PIECEWORK_ASSIGN(Statement rows, database_.prepare("SELECT b.batch_id, b.plan_digest, b.batch, p.cid_v1, "
                                                       "b.file_count, b.external_count FROM batches b JOIN pieces p "
                                                       "USING(piece) ORDER BY b.plan_digest, b.batch"));
    PIECEWORK_ASSIGN(Statement names, database_.prepare("SELECT s.name FROM batch_sources b JOIN sources s "
                                                        "USING(source) WHERE b.batch_id=? ORDER BY b.position"));
    PIECEWORK_ASSIGN(Statement skipped,
                     database_.prepare("SELECT path, reason FROM skipped WHERE batch_id=? ORDER BY position"));
    PIECEWORK_ASSIGN(Statement parts,
                     database_.prepare("SELECT path, item_path, cid FROM parts WHERE batch_id=? ORDER BY position"));
    return each(rows, [&]() -> Status {
      const uint64_t id = rows.column_uint64(0);
      Json json = {{"table", "batches"},
                   {"plan_digest", rows.column_text(1)},
                   {"batch", rows.column_uint64(2)},
                   {"piece_cid_v1", rows.column_text(3)},
                   {"file_count", rows.column_uint64(4)},
                   {"external_count", rows.column_uint64(5)},
                   {"sources", Json::array()},
                   {"skipped", Json::array()},
                   {"parts", Json::array()}};
      const auto add_to = [&json](const char* key, Json value) -> Status {
        json[key].push_back(std::move(value));
        return {};
      };
      names.bind(1, id);
      PIECEWORK_TRY(each(names, [&] {
        Json name = Json::object();
        set_bytes(name, "name", as_text(names.column_blob(0)));
        return add_to("sources", std::move(name));
      }));
      skipped.bind(1, id);
      PIECEWORK_TRY(each(skipped, [&] {
        Json item = Json::object();
        set_bytes(item, "path", as_text(skipped.column_blob(0)));
        item["reason"] = skipped.column_text(1);
        return add_to("skipped", std::move(item));
      }));
      parts.bind(1, id);
      PIECEWORK_TRY(each(parts, [&] {
        Json part = Json::object();
        set_bytes(part, "path", as_text(parts.column_blob(0)));
        set_bytes(part, "item_path", as_text(parts.column_blob(1)));
        part["cid"] = cid_text(parts.column_blob(2));
        return add_to("parts", std::move(part));
      }));
      return put(json);
    });
  }

  Status deals() {
    PIECEWORK_ASSIGN(Statement rows,
                     database_.prepare("SELECT p.cid_v1, d.network, d.provider, d.kind, d.state, d.start_epoch, "
                                       "d.end_epoch, d.deal_id, d.claim_id, d.sector FROM deals d JOIN pieces p "
                                       "USING(piece) ORDER BY p.cid_v1, d.network, d.provider, d.start_epoch, "
                                       "d.deal_id, d.deal"));
    return each(rows, [&]() -> Status {
      Json json = {{"table", "deals"}, {"piece_cid_v1", rows.column_text(0)}, {"network", rows.column_text(1)}};
      json["provider"] = rows.column_text(2);
      json["kind"] = rows.column_text(3);
      json["state"] = rows.column_text(4);
      json["start_epoch"] = rows.column_int64(5);
      json["end_epoch"] = rows.column_int64(6);
      const char* const ids[] = {"deal_id", "claim_id", "sector"};
      for (int i = 0; i < 3; ++i) json[ids[i]] = rows.column_is_null(7 + i) ? Json() : Json(rows.column_uint64(7 + i));
      return put(json);
    });
  }

  Database& database_;
  const std::function<Status(const std::string&)>& line_;
};

// Rules that no row may break: a query, and what it means where it has rows. The first column names the row.
struct Rule {
  const char* sql;
  const char* meaning;
};
constexpr Rule kRules[] = {
    {"SELECT c.content FROM contents c JOIN pieces p USING(piece) WHERE c.car_offset_bytes < 0 OR c.car_bytes < 0 OR "
     "c.car_offset_bytes + c.car_bytes > p.payload_bytes",
     "a content stands outside its piece's payload"},
    {"SELECT r.content FROM ranges r JOIN contents c USING(content) JOIN pieces p USING(piece) WHERE r.car_bytes <= 0 "
     "OR r.car_offset_bytes + r.car_bytes > p.payload_bytes OR r.file_offset_bytes + r.file_bytes > c.size_bytes",
     "a range stands outside its piece's payload or its file"},
    {"SELECT content FROM contents WHERE kind NOT BETWEEN 0 AND 4 OR length(cid) < 4 OR size_bytes < 0",
     "a content has an unknown kind, no CID or a negative size"},
    {"SELECT p.piece FROM pieces p WHERE NOT EXISTS (SELECT 1 FROM contents c WHERE c.piece = p.piece AND "
     "c.cid = p.root_cid)",
     "a piece's root is none of its contents"},
};

}  // namespace

Status dump_catalogue(CatalogueReader& reader, const std::function<Status(const std::string& line)>& line) {
  // One state of the catalogue, whoever writes meanwhile.
  PIECEWORK_TRY(reader.database().execute("BEGIN"));
  const Status status = Dump(reader.database(), line).run();
  const Status ended = reader.database().execute("COMMIT");
  return status ? ended : status;
}

Result<std::vector<std::string>> check_catalogue(CatalogueReader& reader) {
  std::vector<std::string> problems;
  const auto add = [&problems](std::string problem) {
    if (problems.size() < kProblemsMax) problems.push_back(std::move(problem));
  };
  const auto collect = [&](const char* sql, const auto& problem_of) -> Status {
    PIECEWORK_ASSIGN(Statement rows, reader.database().prepare(sql));
    for (;;) {
      PIECEWORK_ASSIGN(const bool row, rows.step());
      if (!row || problems.size() == kProblemsMax) return {};
      if (std::string problem = problem_of(rows); !problem.empty()) add(std::move(problem));
    }
  };
  const auto run = [&]() -> Status {
    PIECEWORK_TRY(collect("PRAGMA integrity_check(100)", [](const Statement& row) {
      return row.column_text(0) == "ok" ? std::string() : fmt::format("integrity: {}", printable(row.column_text(0)));
    }));
    PIECEWORK_TRY(collect("PRAGMA foreign_key_check", [](const Statement& row) {
      return fmt::format("row {} of table {} refers to a row of {} that is missing", row.column_uint64(1),
                         printable(row.column_text(0)), printable(row.column_text(2)));
    }));
    for (const Rule& rule : kRules) {
      PIECEWORK_TRY(collect(rule.sql, [&rule](const Statement& row) {
        return fmt::format("{} (id {})", rule.meaning, row.column_uint64(0));
      }));
    }
    return collect("SELECT cid_v1, cid_v2, payload_bytes, padded_bytes FROM pieces", [](const Statement& row) {
      const Result<PieceCid> v1 = parse_piece_cid(row.column_text(0));
      const Result<PieceCid> v2 = parse_piece_cid(row.column_text(1));
      if (v1 && v2 && v1->root == v2->root && v2->payload_bytes == row.column_uint64(2) &&
          v2->padded_bytes == row.column_uint64(3)) {
        return std::string();
      }
      return fmt::format("piece {}: its two CIDs and its sizes contradict each other", printable(row.column_text(0)));
    });
  };
  const Status status = run();
  if (!status && status.error().code != ErrorCode::kCorrupt) return tl::unexpected<Error>(status.error());
  if (!status) add(status.error().message);
  return problems;
}

}  // namespace piecework::engine
