// The plan file: every batch of a plan with its layout, fixed. An SQLite database that tasks open read-only and of
// which each reads only its own part.
//
//   meta(key, value)                    format, plan digest, options, digest of the summary (sources, skipped, totals,
//                                       what is known from earlier pieces)
//   sources(position, name, path, ...)  paths as opened; only names are part of the digest
//   skipped(path, reason, batch)        what was left out, why, and of which batch
//   batches(batch, digest, totals..., is_join, join_path)
//   parts(batch, position, path, item_path, cid)   subtrees of items that are larger than a piece
//   records(batch, sequence, raw_bytes, data)   layout records (record_codec.h) in zstd frames of about 256 KiB
//
// Digests: plan_summary.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_summary.h"
#include "engine/plan/record_codec.h"
#include "engine/record/sqlite.h"
#include "engine/record/zstd_frame.h"

namespace piecework::engine {

// Writes a plan; the file is complete after finish(). Thread-compatible.
class PlanWriter {
 public:
  // `path` must not exist. Errors are the destination's.
  static Result<std::unique_ptr<PlanWriter>> create(const std::string& path, const PlanOptions& options);
  ~PlanWriter();

  // Appends the next batch.
  Status add_batch(BatchLayout& layout, const BatchContent& content = {}, BatchRole role = {});
  size_t batch_count() const { return summary_.batches.size(); }
  // REQUIRES: a batch was added.
  const PlannedBatch& last_batch() const { return summary_.batches.back(); }
  Result<PlanSummary> finish(const Inventory& inventory, std::vector<SkippedItem> skipped);

 private:
  class BatchSink;
  PlanWriter(Database database, const PlanOptions& options);
  Status store_batches();

  Database database_;
  PlanSummary summary_;
  std::unique_ptr<BatchSink> sink_;
};

// Streams the records of one batch; holds one frame at a time. Thread-compatible.
class BatchReader {
 public:
  // The next record, or none at the end, where the batch's digest has been checked. Views live until the next call.
  // Errors: kCorrupt (config) where the records do not match the digest.
  Result<std::optional<LayoutRecord>> next();

 private:
  friend class PlanReader;
  BatchReader(Statement rows, const PlannedBatch& batch, const PlanSummary& plan);
  bool is_possible(const LayoutRecord& record) const;

  Statement rows_;
  PlannedBatch batch_;
  const std::vector<Source>* sources_;  // the reader's plan's
  Profile profile_;
  std::vector<uint8_t> raw_;
  RecordDecoder decoder_;
  kernels::Sha256 digest_;
};

class PlanReader {
 public:
  // Opens and checks the plan's digest against its batches'. Errors: kNotFound, kCorrupt (config).
  static Result<std::unique_ptr<PlanReader>> open(const std::string& path);

  // Opens the plan of one batch that stands for `batch` of `plan`: its summary is that of `plan` with this batch, and
  // `left_out` behind the skipped items; no other batch can be read.
  static Result<std::unique_ptr<PlanReader>> open_stand_in(const std::string& path, const PlanSummary& plan,
                                                           uint32_t batch, const std::vector<SkippedItem>& left_out);

  const PlanSummary& summary() const { return summary_; }
  // REQUIRES: batch < summary().batches.size(). The reader must not outlive this object.
  Result<BatchReader> read_batch(uint32_t batch);

 private:
  explicit PlanReader(Database database) : database_(std::move(database)) {}
  Status read_summary(const std::string& path);
  Status read_batches(const std::string& path);
  Status read_parts(const std::string& path);

  Database database_;
  PlanSummary summary_;
  std::optional<uint32_t> stands_for_;  // the only batch: the file's batch 0
};

}  // namespace piecework::engine
