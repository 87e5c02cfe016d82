#include "engine/record/catalogue_writer.h"

#include <fmt/format.h>

namespace piecework::engine {

struct CatalogueWriter::Statements {
  Statement find_piece, add_piece, find_directory, add_directory, add_content, add_entry, add_range, add_external;
  Statement find_batch, add_batch, find_source, add_source, add_batch_source, add_skipped, skipped_of, add_part;
};

CatalogueWriter::CatalogueWriter(Database database) : database_(std::move(database)) {}
CatalogueWriter::~CatalogueWriter() = default;

Result<std::unique_ptr<CatalogueWriter>> CatalogueWriter::open(const std::string& path, int wait_ms) {
  PIECEWORK_ASSIGN(Database database, open_catalogue(path, wait_ms));
  std::unique_ptr<CatalogueWriter> writer(new CatalogueWriter(std::move(database)));
  PIECEWORK_TRY(writer->begin());
  PIECEWORK_TRY(writer->prepare());
  return writer;
}

// A catalogue that has a piece keeps it, so that one look tells. Rows of a bulk load refer to what the same load has
// just made; `catalogue check` looks at every one.
Status CatalogueWriter::begin() {
  PIECEWORK_TRY(database_.execute("PRAGMA cache_size=-65536; PRAGMA threads=2; PRAGMA foreign_keys=OFF; "
                                  "BEGIN IMMEDIATE"));
  {
    PIECEWORK_ASSIGN(Statement any, database_.prepare("SELECT 1 FROM pieces LIMIT 1"));
    PIECEWORK_ASSIGN(const bool has_pieces, any.step());
    is_bulk_ = !has_pieces;
  }
  if (is_bulk_) return drop_catalogue_indexes(database_);
  return database_.execute("COMMIT; PRAGMA foreign_keys=ON; BEGIN IMMEDIATE");
}

Status CatalogueWriter::prepare() {
  const auto make = [this](const char* sql) { return database_.prepare(sql); };
  PIECEWORK_ASSIGN(Statement find_piece,
                   make("SELECT piece, cid_v2, root_cid, payload_bytes, padded_bytes FROM pieces WHERE cid_v1=?"));
  PIECEWORK_ASSIGN(Statement add_piece, make("INSERT INTO pieces VALUES(NULL,?,?,?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement find_directory, make("SELECT directory FROM directories WHERE path=?"));
  PIECEWORK_ASSIGN(Statement add_directory, make("INSERT INTO directories VALUES(NULL,?)"));
  PIECEWORK_ASSIGN(Statement add_content, make("INSERT INTO contents VALUES(NULL,?,?,?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement add_entry, make("INSERT OR IGNORE INTO entries VALUES(?,?,?)"));
  PIECEWORK_ASSIGN(Statement add_range, make("INSERT INTO ranges VALUES(?,?,?,?,?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement add_external, make("INSERT INTO externals VALUES(?,?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement find_batch, make("SELECT batch_id, piece, file_count, external_count FROM batches WHERE "
                                              "plan_digest=? AND batch=?"));
  PIECEWORK_ASSIGN(Statement add_batch, make("INSERT INTO batches VALUES(NULL,?,?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement find_source, make("SELECT source FROM sources WHERE name=?"));
  PIECEWORK_ASSIGN(Statement add_source, make("INSERT INTO sources VALUES(NULL,?)"));
  PIECEWORK_ASSIGN(Statement add_batch_source, make("INSERT INTO batch_sources VALUES(?,?,?)"));
  PIECEWORK_ASSIGN(Statement add_skipped, make("INSERT INTO skipped VALUES(?,?,?,?)"));
  PIECEWORK_ASSIGN(Statement skipped_of, make("SELECT path, reason FROM skipped WHERE batch_id=? ORDER BY position"));
  PIECEWORK_ASSIGN(Statement add_part, make("INSERT INTO parts VALUES(?,?,?,?,?)"));
  statements_.reset(new Statements{std::move(find_piece), std::move(add_piece), std::move(find_directory),
                                   std::move(add_directory), std::move(add_content), std::move(add_entry),
                                   std::move(add_range), std::move(add_external), std::move(find_batch),
                                   std::move(add_batch), std::move(find_source), std::move(add_source),
                                   std::move(add_batch_source), std::move(add_skipped), std::move(skipped_of),
                                   std::move(add_part)});
  return {};
}

Result<std::optional<uint64_t>> CatalogueWriter::find_piece(const CataloguePiece& facts) {
  Statement& find = statements_->find_piece;
  PIECEWORK_ASSIGN(const bool row, find.bind_text(1, facts.cid_v1).step());
  if (!row) return std::nullopt;
  const uint64_t id = find.column_uint64(0);
  const bool is_same = find.column_text(1) == facts.cid_v2 &&
                       as_text(find.column_blob(2)) == as_text(facts.root.bytes()) &&
                       find.column_uint64(3) == facts.payload_bytes && find.column_uint64(4) == facts.padded_bytes;
  std::string found = fmt::format("{} with root {} and {} payload bytes", find.column_text(1),
                                  cid_text(find.column_blob(2)), find.column_uint64(3));
  find.reset();
  if (is_same) return id;
  return fail(ErrorCode::kConflict, ErrorSide::kDestination,
              fmt::format("piece {}: the catalogue has {}, found {} with root {} and {} payload bytes: one of them "
                          "is wrong, verify the pieces and rebuild the catalogue",
                          facts.cid_v1, found, facts.cid_v2, facts.root.text(), facts.payload_bytes));
}

Result<uint64_t> CatalogueWriter::add_piece(const CataloguePiece& facts) {
  Statement& add = statements_->add_piece;
  add.bind_text(1, facts.cid_v1).bind_text(2, facts.cid_v2).bind_blob(3, facts.root.bytes());
  PIECEWORK_TRY(add.bind(4, facts.payload_bytes).bind(5, facts.padded_bytes).bind(6, facts.block_count).run());
  return database_.last_insert_id();
}

Result<uint64_t> CatalogueWriter::id_of(Statement& find, Statement& add, std::string_view key) {
  PIECEWORK_ASSIGN(const bool row, find.bind_blob(1, as_bytes(key)).step());
  const uint64_t id = row ? find.column_uint64(0) : 0;
  find.reset();
  if (row) return id;
  PIECEWORK_TRY(add.bind_blob(1, as_bytes(key)).run());
  return database_.last_insert_id();
}

Result<uint64_t> CatalogueWriter::directory_id(std::string_view path) {
  return id_of(statements_->find_directory, statements_->add_directory, path);
}

Result<uint64_t> CatalogueWriter::add_content(uint64_t piece_id, const ContentFacts& content) {
  Statement& add = statements_->add_content;
  add.bind(1, piece_id).bind(2, static_cast<uint64_t>(content.kind)).bind(3, content.size_bytes);
  PIECEWORK_TRY(add.bind(4, content.car_offset_bytes).bind(5, content.car_bytes).bind_blob(6, content.cid).run());
  return database_.last_insert_id();
}

Status CatalogueWriter::add_entry(uint64_t directory_id, std::string_view name, uint64_t content_id) {
  return statements_->add_entry.bind(1, directory_id).bind_blob(2, as_bytes(name)).bind(3, content_id).run();
}

Status CatalogueWriter::add_range(uint64_t content_id, uint64_t position, const CatalogueRange& range) {
  Statement& add = statements_->add_range;
  add.bind(1, content_id).bind(2, position).bind(3, range.file_offset_bytes).bind(4, range.file_bytes);
  add.bind(5, range.car_offset_bytes).bind(6, range.car_bytes).bind(7, range.leaf_bytes);
  return add.bind(8, range.section_bytes).run();
}

Status CatalogueWriter::add_external(uint64_t content_id, uint64_t position, uint64_t file_offset_bytes,
                                     uint64_t file_bytes, ByteSpan cid) {
  Statement& add = statements_->add_external;
  add.bind(1, content_id).bind(2, position).bind(3, file_offset_bytes);
  return add.bind(4, file_bytes).bind_blob(5, cid).run();
}

Result<bool> CatalogueWriter::add_batch(const Receipt& receipt, uint64_t piece_id) {
  Statement& find = statements_->find_batch;
  PIECEWORK_ASSIGN(const bool row, find.bind_text(1, receipt.plan_digest).bind(2, receipt.batch).step());
  if (!row) {
    Statement& add = statements_->add_batch;
    add.bind_text(1, receipt.plan_digest).bind(2, receipt.batch).bind(3, piece_id);
    PIECEWORK_TRY(add.bind(4, receipt.file_count).bind(5, receipt.external_count).run());
    PIECEWORK_TRY(add_batch_rows(receipt, database_.last_insert_id()));
    return true;
  }
  const uint64_t batch_id = find.column_uint64(0);
  bool is_same = find.column_uint64(1) == piece_id;
  find.reset();
  Statement& skipped = statements_->skipped_of;
  skipped.bind(1, batch_id);
  size_t count = 0;
  for (;; ++count) {
    PIECEWORK_ASSIGN(const bool more, skipped.step());
    if (!more) break;
    is_same = is_same && count < receipt.skipped.size() &&
              as_text(skipped.column_blob(0)) == receipt.skipped[count].path &&
              skipped.column_text(1) == receipt.skipped[count].reason;
  }
  if (is_same && count == receipt.skipped.size()) return false;
  return fail(ErrorCode::kConflict, ErrorSide::kDestination,
              fmt::format("two receipts of batch {} of plan {} contradict each other: the catalogue has another piece "
                          "or other skipped items than {} with {} skipped; the sources changed between two attempts: "
                          "keep one of them",
                          receipt.batch, receipt.plan_digest, receipt.piece_cid_v1, receipt.skipped.size()));
}

Status CatalogueWriter::add_batch_rows(const Receipt& receipt, uint64_t batch_id) {
  for (size_t i = 0; i < receipt.source_names.size(); ++i) {
    PIECEWORK_ASSIGN(const uint64_t source,
                     id_of(statements_->find_source, statements_->add_source, receipt.source_names[i]));
    PIECEWORK_TRY(statements_->add_batch_source.bind(1, batch_id).bind(2, i).bind(3, source).run());
  }
  for (size_t i = 0; i < receipt.skipped.size(); ++i) {
    Statement& add = statements_->add_skipped;
    add.bind(1, batch_id).bind(2, i).bind_blob(3, as_bytes(receipt.skipped[i].path));
    PIECEWORK_TRY(add.bind_text(4, receipt.skipped[i].reason).run());
  }
  for (size_t i = 0; i < receipt.parts.size(); ++i) {
    const ReceiptPart& part = receipt.parts[i];
    const Result<Cid> cid = parse_cid(part.cid);
    if (!cid) return tl::unexpected<Error>(cid.error());
    Statement& add = statements_->add_part;
    add.bind(1, batch_id).bind(2, i).bind_blob(3, as_bytes(part.path)).bind_blob(4, as_bytes(part.item_path));
    PIECEWORK_TRY(add.bind_blob(5, cid->bytes()).run());
  }
  return {};
}

Status CatalogueWriter::commit() {
  statements_.reset();
  if (is_bulk_) {
    // Each thread that sorts takes as much as the cache may.
    PIECEWORK_TRY(database_.execute("PRAGMA shrink_memory; PRAGMA cache_size=-24576"));
    PIECEWORK_TRY(create_catalogue_indexes(database_));
  }
  PIECEWORK_TRY(database_.execute("COMMIT"));
  // The log goes back into the file, so that readers need not write beside it.
  return database_.close();
}

}  // namespace piecework::engine
