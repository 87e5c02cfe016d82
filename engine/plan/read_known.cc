#include "engine/plan/read_known.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <unordered_set>

#include "engine/codec/cid.h"
#include "engine/plan/file_cid.h"
#include "engine/plan/plan_file.h"
#include "engine/plan/record_walk.h"
#include "engine/record/batch_state.h"
#include "engine/record/file_row.h"
#include "engine/record/join_parts.h"
#include "engine/record/sidecar_content.h"
#include "io/dir_reader.h"

namespace piecework::engine {
namespace {

bool is_digest(std::string_view name) {
  return name.size() == 2 * kDigestBytes && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<io::File> open_known_directory(const std::string& path) {
  Result<io::File> opened = io::open_named_directory(path, ErrorSide::kConfig);
  if (opened || (opened.error().code != ErrorCode::kNotFound && opened.error().sys_errno != ENOTDIR)) return opened;
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("--known: {}; give an output directory of an earlier pack", opened.error().message));
}

// Whether `row` is that of the file or symlink of `record`.
bool is_row_of(const FileRow& row, const LayoutRecord& record, const std::string& path) {
  return row.key == file_row_key(path) &&
         (record.kind != RecordKind::kFile || row.size_bytes == record.file_bytes);
}

// What one batch adds to the items.
class BatchItems {
 public:
  BatchItems(const PlanSummary& plan, const Receipt& receipt, const std::vector<bool>& is_done, RecordWalk& walk,
             bool files_by_mtime, KnownItems& items)
      : plan_(plan),
        batch_(receipt.batch),
        is_done_(is_done),
        walk_(walk),
        files_by_mtime_(files_by_mtime),
        items_(items) {
    for (const SkippedItem& item : receipt.skipped) skipped_.insert(item.path);
  }

  Status read_records() {
    for (;;) {
      PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, walk_.next());
      if (!record) return {};
      if (!is_skipped(*record)) add(*record);
    }
  }

  // The rows of a batch stand in the order of its records.
  Status read_rows(ByteSpan lines) {
    return visit_file_rows(lines, [this](std::string_view line, const std::optional<FileRow>& row) -> Status {
      PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record,
                       next_listed());
      if (!row || !record || !is_row_of(*row, *record, walk_.path())) {
        return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                    fmt::format("the row '{}' is not of the file that the plan has there", printable(line)));
      }
      if (record->kind == RecordKind::kFile && is_whole(*record)) {
        items_.add_content(place(), record->file_bytes, row->cid.bytes());
      }
      return {};
    });
  }

 private:
  // Up to the next record that the table of files lists.
  Result<std::optional<LayoutRecord>> next_listed() {
    for (;;) {
      PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, walk_.next());
      if (!record) return record;
      add(*record);
      const bool is_listed = record->kind == RecordKind::kFile || record->kind == RecordKind::kSymlink ||
                             record->kind == RecordKind::kFilePart;
      if (is_listed) return record;
    }
  }

  // Left out after the plan was made: the batch was packed without it.
  bool is_skipped(const LayoutRecord& record) const {
    return record.kind == RecordKind::kFile && !skipped_.empty() && skipped_.contains(walk_.path());
  }

  ItemPlace place() const {
    const std::string_view name = plan_.sources.empty() ? std::string_view() : plan_.sources.front().name;
    return item_place(walk_.path(), plan_.root_joins_sources, name);
  }

  void add(const LayoutRecord& record) {
    switch (record.kind) {
      case RecordKind::kDirectory:
        if (record.child_count == 0) items_.add_empty_directory(place());
        return;
      case RecordKind::kFile:
        if (files_by_mtime_ && is_whole(record)) items_.add_file(place(), record.file_bytes, record.mtime_ns);
        return;
      case RecordKind::kSymlink:
        return items_.add_symlink(place(), record.target);
      case RecordKind::kBlock:
        // Whether all of the DAG is in pieces is found when all batches have been read.
        if (record.stored.is_dag_root) items_.add_dag(record.stored.cid, record.tsize);
        return items_.blocks().add(record);
      case RecordKind::kShard:
      case RecordKind::kFilePart:
        return;
    }
  }

  // Whether all of a file is in pieces: one in parts is where all of them are done.
  bool is_whole(const LayoutRecord& file) const {
    const PlannedBatch& batch = plan_.batches[batch_];
    if (!batch.is_file_join() || file.marks.empty()) return true;
    const std::vector<JoinPart> parts = planned_join_parts(plan_, batch);
    return std::all_of(parts.begin(), parts.end(), [this](const JoinPart& part) { return is_done_[part.batch]; });
  }

  const PlanSummary& plan_;
  const uint32_t batch_;
  const std::vector<bool>& is_done_;  // by batch of the plan
  RecordWalk& walk_;
  bool files_by_mtime_;
  KnownItems& items_;
  std::unordered_set<std::string> skipped_;
};

// The batches of a plan that are done and hold blocks of stores.
struct StoreBatches {
  std::string plan_path;
  std::vector<uint32_t> all;
  std::vector<uint32_t> with_external;  // of these: they leave blocks external
};

tl::unexpected<Error> in_file(const std::string& path, Error error) {
  if (error.message.find(path) == std::string::npos) {
    error.message = fmt::format("'{}': {}", printable(path), error.message);
  }
  return tl::unexpected<Error>(std::move(error));
}

Status check_stop(const KnownRequest& request) {
  if (request.stop == nullptr || !request.stop->load()) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while reading what is known");
}

class DirectoryItems {
 public:
  DirectoryItems(std::string path, const KnownRequest& request, KnownItems& items, std::vector<StoreBatches>& stores)
      : path_(std::move(path)), request_(request), items_(items), stores_(stores) {}

  Status read() {
    PIECEWORK_ASSIGN(const io::File directory, open_known_directory(path_));
    const auto receipts = io::open_beneath(directory, "receipts", io::kOpenDirectory);
    if (!receipts && receipts.error().code == ErrorCode::kNotFound) {
      // One that an earlier run has only begun in is no mistake.
      if (!io::open_beneath(directory, "plans", io::kOpenDirectory)) {
        warn(fmt::format("'{}' holds no receipts: nothing is known from it", printable(path_)));
      }
      return {};
    }
    if (!receipts) return tl::unexpected<Error>(receipts.error());
    PIECEWORK_ASSIGN(const io::DirectoryListing plans, io::read_directory(*receipts));
    for (size_t i = 0; i < plans.entry_count(); ++i) {
      const io::DirectoryEntry entry = plans.entry(i);
      if (entry.kind == io::EntryKind::kDirectory && is_digest(entry.name)) PIECEWORK_TRY(read_plan(entry.name));
    }
    return {};
  }

 private:
  void warn(const std::string& line) const {
    if (request_.warning) request_.warning(line);
  }

  Status read_plan(std::string_view digest) {
    const std::string plan_path = fmt::format("{}/plans/{}", path_, digest);
    auto reader = PlanReader::open(plan_path);
    if (!reader && reader.error().code == ErrorCode::kNotFound) {
      PIECEWORK_ASSIGN(const io::File receipts,
                       io::open_named_directory(fmt::format("{}/receipts/{}", path_, digest), ErrorSide::kConfig));
      PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(receipts));
      if (listing.entry_count() == 0) return {};
      warn(fmt::format("'{}' is missing: what the {} receipts of that plan stand for is not known and is packed again",
                       printable(plan_path), listing.entry_count()));
      return {};
    }
    if (!reader) return tl::unexpected<Error>(std::move(reader).error());
    const PlanSummary& plan = (*reader)->summary();
    if (plan.digest_text() != digest) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                  fmt::format("'{}' is plan {}; move it away", printable(plan_path), plan.digest_text()));
    }
    const bool is_comparable = same_file_cids(plan.options.profile, request_.profile);
    const bool holds_files = !plan.sources.empty() && !plan.sources.front().is_store();
    const bool with_content = request_.by_content && is_comparable && holds_files;
    if (request_.by_content && !is_comparable && holds_files) {
      warn(fmt::format("'{}' was made with another profile: its files cannot be compared and are packed again",
                       printable(plan_path)));
    }
    PIECEWORK_ASSIGN(const BatchStates states, BatchStates::open(path_, plan.digest_text(), /*store_car=*/false));
    std::vector<std::optional<Receipt>> receipts;
    std::vector<bool> is_done;
    for (const PlannedBatch& batch : plan.batches) {
      PIECEWORK_TRY(check_stop(request_));
      PIECEWORK_ASSIGN(receipts.emplace_back(), states.done_receipt(batch.batch));
      is_done.push_back(receipts.back().has_value());
    }
    StoreBatches batches{.plan_path = plan_path, .all = {}, .with_external = {}};
    for (const PlannedBatch& batch : plan.batches) {
      PIECEWORK_TRY(check_stop(request_));
      if (!is_done[batch.batch]) continue;
      batches.all.push_back(batch.batch);
      if (batch.totals.external_count > 0) batches.with_external.push_back(batch.batch);
      PIECEWORK_ASSIGN(BatchReader records, (*reader)->read_batch(batch.batch));
      RecordWalk walk(std::move(records));
      BatchItems batch_items(plan, *receipts[batch.batch], is_done, walk, !request_.by_content, items_);
      // Without some files a directory may be of another kind, and its rows in another order: then nothing is known.
      const bool is_as_planned = left_out_of(*receipts[batch.batch], plan).empty();
      if (with_content && is_as_planned) PIECEWORK_TRY(read_content(*receipts[batch.batch], batch_items));
      if (Status status = batch_items.read_records(); !status) return in_file(plan_path, std::move(status).error());
    }
    if (!holds_files) stores_.push_back(std::move(batches));
    return {};
  }

  Status read_content(const Receipt& receipt, BatchItems& batch_items) {
    const std::string table_path = fmt::format("{}/{}", path_, files_name(receipt.piece_cid_v1));
    PIECEWORK_ASSIGN(const io::File table, io::open_named(table_path, ErrorSide::kConfig));
    const auto content =
        read_sidecar_content(table, false, [&](ByteSpan lines) { return batch_items.read_rows(lines); });
    if (!content) return in_file(table_path, content.error());
    if (content->sha256 == receipt.files.sha256 && content->content_bytes == receipt.files.content_bytes) return {};
    return in_file(table_path, {ErrorCode::kCorrupt, ErrorSide::kConfig, 0, "it is not what its receipt says", {}});
  }

  const std::string path_;
  const KnownRequest& request_;
  KnownItems& items_;
  std::vector<StoreBatches>& stores_;
};

// Calls `visit` with every record of a batch.
template <class Visit>
Status visit_records(PlanReader& plan, uint32_t batch, Visit visit) {
  PIECEWORK_ASSIGN(BatchReader records, plan.read_batch(batch));
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, records.next());
    if (!record) return {};
    visit(*record);
  }
}

// Of all directories together: what an earlier plan took for known may stand in any of them.
class BlockRounds {
 public:
  BlockRounds(const KnownRequest& request, const std::vector<StoreBatches>& stores, KnownBlocks& blocks)
      : request_(request), stores_(stores), blocks_(blocks) {}

  Status run() {
    if (blocks_.needs_passage()) PIECEWORK_TRY(add_held());
    blocks_.seal();
    for (bool has_taken_out = true; has_taken_out;) {
      PIECEWORK_ASSIGN(has_taken_out, check_all());
    }
    return {};
  }

 private:
  Status add_held() {
    const auto add = [this](const LayoutRecord& record) { blocks_.add_held(record); };
    for (const StoreBatches& plan : stores_) {
      PIECEWORK_TRY(for_each(plan.plan_path, plan.all,
                             [&](PlanReader& reader, uint32_t batch) { return visit_records(reader, batch, add); }));
    }
    return {};
  }

  Result<bool> check_all() {
    bool has_taken_out = false;
    const auto check_batch = [&](PlanReader& reader, uint32_t batch) -> Status {
      KnownBlocks::Check check(blocks_);
      PIECEWORK_TRY(visit_records(reader, batch, [&check](const LayoutRecord& record) { check.add(record); }));
      has_taken_out = check.finish() || has_taken_out;
      return {};
    };
    for (const StoreBatches& plan : stores_) PIECEWORK_TRY(for_each(plan.plan_path, plan.with_external, check_batch));
    return has_taken_out;
  }

  template <class Use>
  Status for_each(const std::string& plan_path, const std::vector<uint32_t>& batches, Use use) const {
    if (batches.empty()) return {};
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanReader> reader, PlanReader::open(plan_path));
    for (const uint32_t batch : batches) {
      PIECEWORK_TRY(check_stop(request_));
      if (Status status = use(*reader, batch); !status) return in_file(plan_path, std::move(status).error());
    }
    return {};
  }

  const KnownRequest& request_;
  const std::vector<StoreBatches>& stores_;
  KnownBlocks& blocks_;
};

}  // namespace

Result<KnownItems> read_known_items(const KnownRequest& request) {
  KnownItems items(request.grain);
  std::vector<StoreBatches> stores;
  for (const std::string& directory : request.directories) {
    PIECEWORK_TRY(DirectoryItems(directory, request, items, stores).read());
  }
  PIECEWORK_TRY(BlockRounds(request, stores, items.blocks()).run());
  return items;
}

Result<std::vector<std::pair<uint64_t, uint64_t>>> identities_of(const std::vector<std::string>& directories) {
  std::vector<std::pair<uint64_t, uint64_t>> identities;
  for (const std::string& path : directories) {
    PIECEWORK_ASSIGN(const io::File directory, open_known_directory(path));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, directory.stamp());
    identities.emplace_back(stamp.device, stamp.inode);
  }
  return identities;
}

}  // namespace piecework::engine
