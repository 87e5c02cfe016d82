#include "engine/plan/plan_file.h"

#include <fmt/format.h>

#include "engine/layout/node_lengths.h"
#include "engine/store/block_store.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kFormatVersion = 4;
constexpr size_t kFrameBytes = 256 * 1024;
// A frame holds whole records; the largest has a mark for every chunk of the largest file.
constexpr uint64_t kFrameBytesMax = uint64_t{1} << 30;

constexpr char kSchema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE sources(position INTEGER PRIMARY KEY, name BLOB NOT NULL, path BLOB NOT NULL, kind INTEGER NOT "
    "NULL)"
    " STRICT;"
    "CREATE TABLE skipped(position INTEGER PRIMARY KEY, path BLOB NOT NULL, reason TEXT NOT NULL, batch INTEGER NOT "
    "NULL)"
    " STRICT;"
    "CREATE TABLE batches(batch INTEGER PRIMARY KEY, digest BLOB NOT NULL, car_bytes INTEGER NOT NULL,"
    " block_count INTEGER NOT NULL, file_count INTEGER NOT NULL, source_bytes INTEGER NOT NULL,"
    " duplicate_bytes INTEGER NOT NULL, class_count INTEGER NOT NULL, stored_section_bytes_max INTEGER NOT NULL,"
    " external_count INTEGER NOT NULL, is_join INTEGER NOT NULL, join_path BLOB NOT NULL) STRICT;"
    "CREATE TABLE parts(batch INTEGER NOT NULL, position INTEGER NOT NULL, path BLOB NOT NULL, item_path BLOB NOT NULL,"
    " cid BLOB NOT NULL, PRIMARY KEY(batch, position)) STRICT;"
    "CREATE TABLE records(batch INTEGER NOT NULL, sequence INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,"
    " data BLOB NOT NULL, PRIMARY KEY(batch, sequence)) STRICT;"
    "BEGIN;";

tl::unexpected<Error> damaged(const std::string& path, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("plan '{}': {}; make the plan again", printable(path), what));
}

}  // namespace

// Encodes records and stores them a frame at a time. The first error is kept until the end of the batch.
class PlanWriter::BatchSink : public RecordSink {
 public:
  explicit BatchSink(Statement insert) : insert_(std::move(insert)) {}

  void begin(uint32_t batch, const PlanOptions& options) {
    batch_ = batch;
    sequence_ = 0;
    raw_.clear();
    digest_ = batch_hasher(options);
  }
  void record(const LayoutRecord& record) override {
    if (!status_) return;
    encode_record(record, raw_, digest_);
    if (raw_.size() >= kFrameBytes) status_ = flush();
  }
  Result<Digest32> end() {
    PIECEWORK_TRY(status_);
    PIECEWORK_TRY(flush());
    return digest_.finish();
  }

 private:
  Status flush() {
    if (raw_.empty()) return {};
    PIECEWORK_TRY(compressor_.compress(raw_, frame_));
    insert_.bind(1, batch_).bind(2, sequence_++).bind(3, raw_.size()).bind_blob(4, frame_);
    raw_.clear();
    return insert_.run();
  }

  Statement insert_;
  ZstdCompressor compressor_{1};
  std::vector<uint8_t> raw_;
  std::vector<uint8_t> frame_;
  kernels::Sha256 digest_;
  uint32_t batch_ = 0;
  uint64_t sequence_ = 0;
  Status status_;
};

PlanWriter::PlanWriter(Database database, const PlanOptions& options) : database_(std::move(database)) {
  summary_.options = options;
}
PlanWriter::~PlanWriter() = default;

Result<std::unique_ptr<PlanWriter>> PlanWriter::create(const std::string& path, const PlanOptions& options) {
  PIECEWORK_ASSIGN(Database database, Database::create(path));
  PIECEWORK_TRY(database.execute(kSchema));
  std::unique_ptr<PlanWriter> writer(new PlanWriter(std::move(database), options));
  PIECEWORK_ASSIGN(Statement insert, writer->database_.prepare("INSERT INTO records VALUES(?, ?, ?, ?)"));
  writer->sink_ = std::make_unique<BatchSink>(std::move(insert));
  return writer;
}

Status PlanWriter::add_batch(BatchLayout& layout, const BatchContent& content, BatchRole role) {
  PlannedBatch batch;
  batch.role = std::move(role);
  batch.batch = static_cast<uint32_t>(summary_.batches.size());
  sink_->begin(batch.batch, summary_.options);
  batch.totals = layout.emit(sink_.get(), content);
  PIECEWORK_ASSIGN(batch.digest, sink_->end());
  summary_.batches.push_back(std::move(batch));
  return {};
}

Result<PlanSummary> PlanWriter::finish(const Inventory& inventory, std::vector<SkippedItem> skipped) {
  summary_.skipped = std::move(skipped);
  summary_.sources = inventory.sources;
  summary_.root_joins_sources = inventory.root_joins_sources;
  summary_.known = inventory.known;
  summary_.digest = plan_digest(summary_);
  sink_.reset();  // its statement must be gone before the database closes
  {
    PIECEWORK_ASSIGN(Statement meta, database_.prepare("INSERT INTO meta VALUES(?, ?)"));
    PIECEWORK_TRY(meta.bind_text(1, "format").bind_text(2, fmt::format("{}", kFormatVersion)).run());
    PIECEWORK_TRY(meta.bind_text(1, "digest").bind_text(2, to_hex(summary_.digest)).run());
    const std::string summary = to_hex(summary_digest(summary_));
    PIECEWORK_TRY(meta.bind_text(1, "summary").bind_text(2, summary).run());
    const std::string options = options_to_json(summary_);
    PIECEWORK_TRY(meta.bind_text(1, "options").bind_text(2, options).run());
    PIECEWORK_ASSIGN(Statement source_row, database_.prepare("INSERT INTO sources VALUES(?, ?, ?, ?)"));
    for (size_t i = 0; i < summary_.sources.size(); ++i) {
      const Source& source = summary_.sources[i];
      source_row.bind(1, i).bind_blob(2, as_bytes(source.name)).bind_blob(3, as_bytes(source.path));
      PIECEWORK_TRY(source_row.bind(4, static_cast<uint64_t>(source.kind)).run());
    }
    PIECEWORK_ASSIGN(Statement skipped_row, database_.prepare("INSERT INTO skipped VALUES(?, ?, ?, ?)"));
    for (size_t i = 0; i < summary_.skipped.size(); ++i) {
      const SkippedItem& item = summary_.skipped[i];
      skipped_row.bind(1, i).bind_blob(2, as_bytes(item.path)).bind_text(3, item.reason);
      PIECEWORK_TRY(skipped_row.bind(4, item.batch).run());
    }
  }
  PIECEWORK_TRY(store_batches());
  PIECEWORK_TRY(database_.execute("COMMIT"));
  PIECEWORK_TRY(database_.close());
  return std::move(summary_);
}

Status PlanWriter::store_batches() {
  PIECEWORK_ASSIGN(Statement row, database_.prepare("INSERT INTO batches VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  PIECEWORK_ASSIGN(Statement part_row, database_.prepare("INSERT INTO parts VALUES(?, ?, ?, ?, ?)"));
  for (const PlannedBatch& batch : summary_.batches) {
    const LayoutTotals& totals = batch.totals;
    row.bind(1, batch.batch).bind_blob(2, batch.digest).bind(3, totals.car_bytes).bind(4, totals.block_count);
    row.bind(5, totals.file_count).bind(6, totals.source_bytes).bind(7, totals.duplicate_bytes);
    row.bind(8, totals.class_count).bind(9, totals.stored_section_bytes_max).bind(10, totals.external_count);
    PIECEWORK_TRY(row.bind(11, batch.role.is_join).bind_blob(12, as_bytes(batch.role.join_path)).run());
    for (size_t i = 0; i < batch.role.parts.size(); ++i) {
      const PlannedPart& part = batch.role.parts[i];
      part_row.bind(1, batch.batch).bind(2, i).bind_blob(3, as_bytes(part.path)).bind_blob(4, as_bytes(part.item_path));
      PIECEWORK_TRY(part_row.bind_blob(5, part.cid.bytes()).run());
    }
  }
  return {};
}

BatchReader::BatchReader(Statement rows, const PlannedBatch& batch, const PlanSummary& plan)
    : rows_(std::move(rows)),
      batch_(batch),
      sources_(&plan.sources),
      profile_(plan.options.profile),
      digest_(batch_hasher(plan.options)) {}

// What no plan of ours holds: it is refused before it is used, since the batch's digest is known only at its end, and
// does not cover the places of blocks.
bool BatchReader::is_possible(const LayoutRecord& record) const {
  const LayoutTotals& totals = batch_.totals;
  if (record.class_index > totals.class_count) return false;
  for (const NodeMark& mark : record.marks) {
    if (mark.class_index > totals.class_count) return false;
    const bool is_external = mark.kind == NodeMark::Kind::kExternal;
    if ((mark.kind == NodeMark::Kind::kRefer || is_external) && mark.class_index == 0) return false;
    if (is_external != (batch_.is_file_join() && mark.kind != NodeMark::Kind::kWrite)) return false;
  }
  const bool is_file = record.kind == RecordKind::kFile || record.kind == RecordKind::kFilePart;
  if (is_file && record.file_bytes > FileShape::kFileBytesMax) return false;
  if (record.kind == RecordKind::kFilePart && !FileShape(record.file_bytes, profile_).has(record.part)) return false;
  const bool needs_class = record.is_reference || record.is_shadow;
  if (record.kind != RecordKind::kBlock) {
    const bool is_content = is_file || record.kind == RecordKind::kSymlink;
    if (needs_class && record.class_index == 0 && (is_content || record.is_reference)) return false;
    const bool holds_stores = !sources_->empty() && sources_->front().is_store();
    return !is_content || !holds_stores;
  }
  const StoredBlock& block = record.stored;
  if (block.external == StoredBlock::External::kPart && block.external_batch >= batch_.batch) return false;
  if (block.source_index >= sources_->size() || !(*sources_)[block.source_index].is_store()) return false;
  const auto cid_bytes = static_cast<uint32_t>(block.cid.size());
  return record.is_reference || section_bytes(cid_bytes, record.block_bytes) <= totals.stored_section_bytes_max;
}

Result<std::optional<LayoutRecord>> BatchReader::next() {
  if (decoder_.at_end()) {
    PIECEWORK_ASSIGN(const bool row, rows_.step());
    if (!row) {
      if (digest_.finish() == batch_.digest) return std::nullopt;
      return fail(
          ErrorCode::kCorrupt, ErrorSide::kConfig,
          fmt::format("plan: the records of batch {} do not match its digest; make the plan again", batch_.batch));
    }
    if (Status status = decompress_frame(rows_.column_blob(0), kFrameBytesMax, raw_); !status) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                  fmt::format("plan: batch {}: {}; make the plan again", batch_.batch, status.error().message));
    }
    decoder_ = RecordDecoder(raw_);
  }
  PIECEWORK_ASSIGN(LayoutRecord record, decoder_.next(digest_));
  if (is_possible(record)) return std::optional<LayoutRecord>(record);
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("plan: batch {} has a record that cannot be; make the plan again", batch_.batch));
}

Result<std::unique_ptr<PlanReader>> PlanReader::open(const std::string& path) {
  PIECEWORK_ASSIGN(Database database, Database::open_immutable(path, ErrorSide::kConfig));
  std::unique_ptr<PlanReader> reader(new PlanReader(std::move(database)));
  PIECEWORK_TRY(reader->read_summary(path));
  return reader;
}

Result<std::unique_ptr<PlanReader>> PlanReader::open_stand_in(const std::string& path, const PlanSummary& plan,
                                                              uint32_t batch,
                                                              const std::vector<SkippedItem>& left_out) {
  PIECEWORK_ASSIGN(std::unique_ptr<PlanReader> reader, open(path));
  PlannedBatch stand_in = std::move(reader->summary_.batches.at(0));
  stand_in.batch = batch;
  reader->summary_ = plan;
  reader->summary_.batches[batch] = std::move(stand_in);
  reader->summary_.skipped.insert(reader->summary_.skipped.end(), left_out.begin(), left_out.end());
  reader->stands_for_ = batch;
  return reader;
}

Status PlanReader::read_summary(const std::string& path) {
  auto meta = database_.prepare("SELECT value FROM meta WHERE key = ?");
  if (!meta) {
    // What could not be read may well be a plan.
    const bool is_unread = meta.error().sys_errno != 0 || meta.error().code == ErrorCode::kResourceExhausted;
    return is_unread ? tl::unexpected<Error>(meta.error()) : damaged(path, "this is not a plan file");
  }
  const auto value_of = [&](std::string_view key) -> Result<std::string> {
    PIECEWORK_ASSIGN(const bool found, meta->bind_text(1, key).step());
    std::string value = found ? std::string(meta->column_text(0)) : std::string();
    meta->reset();
    return value;
  };
  PIECEWORK_ASSIGN(const std::string format, value_of("format"));
  if (format != fmt::format("{}", kFormatVersion)) {
    return damaged(path, fmt::format("format '{}', expected {}", printable(format), kFormatVersion));
  }
  PIECEWORK_ASSIGN(const std::string options, value_of("options"));
  if (const Status parsed = options_from_json(options, summary_); !parsed) {
    return damaged(path, parsed.error().message);
  }
  PIECEWORK_ASSIGN(Statement sources, database_.prepare("SELECT name, path, kind FROM sources ORDER BY position"));
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, sources.step());
    if (!row) break;
    const uint64_t kind = sources.column_uint64(2);
    if (kind > static_cast<uint64_t>(SourceKind::kCar)) return damaged(path, "it has a source of an unknown kind");
    summary_.sources.push_back({std::string(as_text(sources.column_blob(0))),
                                std::string(as_text(sources.column_blob(1))), static_cast<SourceKind>(kind)});
  }
  PIECEWORK_ASSIGN(Statement skipped, database_.prepare("SELECT path, reason, batch FROM skipped ORDER BY position"));
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, skipped.step());
    if (!row) break;
    summary_.skipped.push_back({std::string(as_text(skipped.column_blob(0))), std::string(skipped.column_text(1)), 0,
                                static_cast<uint32_t>(skipped.column_uint64(2))});
  }
  PIECEWORK_TRY(read_batches(path));
  summary_.digest = plan_digest(summary_);
  PIECEWORK_ASSIGN(const std::string digest, value_of("digest"));
  PIECEWORK_ASSIGN(const std::string summary, value_of("summary"));
  if (digest != to_hex(summary_.digest) || summary != to_hex(summary_digest(summary_))) {
    return damaged(path, "it does not match its own digest");
  }
  return {};
}

Status PlanReader::read_batches(const std::string& path) {
  PIECEWORK_ASSIGN(Statement batches, database_.prepare("SELECT * FROM batches ORDER BY batch"));
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, batches.step());
    if (!row) break;
    PlannedBatch batch;
    batch.batch = static_cast<uint32_t>(batches.column_uint64(0));
    const ByteSpan digest = batches.column_blob(1);
    if (batch.batch != summary_.batches.size() || digest.size() != kDigestBytes)
      return damaged(path, "its batches are incomplete");
    std::copy(digest.begin(), digest.end(), batch.digest.begin());
    batch.totals = {batches.column_uint64(2), batches.column_uint64(3), batches.column_uint64(4),
                    batches.column_uint64(5), batches.column_uint64(6), static_cast<uint32_t>(batches.column_uint64(7)),
                    batches.column_uint64(8), batches.column_uint64(9)};
    batch.role.is_join = batches.column_uint64(10) != 0;
    batch.role.join_path = as_text(batches.column_blob(11));
    if (batch.totals.stored_section_bytes_max > kStoreBlockBytesMax + kCidBytesMax + kVarintBytesMax) {
      return damaged(path, "a batch has a longer block than can be packed");
    }
    summary_.batches.push_back(std::move(batch));
  }
  return read_parts(path);
}

Status PlanReader::read_parts(const std::string& path) {
  PIECEWORK_ASSIGN(Statement parts,
                   database_.prepare("SELECT batch, path, item_path, cid FROM parts ORDER BY batch, position"));
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, parts.step());
    if (!row) return {};
    const uint64_t batch = parts.column_uint64(0);
    PlannedPart part{std::string(as_text(parts.column_blob(1))), std::string(as_text(parts.column_blob(2))), {}};
    const ByteSpan cid_bytes = parts.column_blob(3);
    const auto cid = decode_cid(cid_bytes);
    if (batch >= summary_.batches.size() || (!cid && !cid_bytes.empty())) {
      return damaged(path, "it has a part that cannot be");
    }
    if (cid) part.cid = Cid(*cid);
    summary_.batches[batch].role.parts.push_back(std::move(part));
  }
}

Result<BatchReader> PlanReader::read_batch(uint32_t batch) {
  PIECEWORK_CHECK(stands_for_ ? batch == *stands_for_ : batch < summary_.batches.size());
  PIECEWORK_ASSIGN(Statement rows, database_.prepare("SELECT data FROM records WHERE batch = ? ORDER BY sequence"));
  rows.bind(1, stands_for_ ? 0 : batch);
  return BatchReader(std::move(rows), summary_.batches[batch], summary_);
}

}  // namespace piecework::engine
