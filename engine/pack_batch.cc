#include "engine/pack_batch.h"

#include <fmt/format.h>
#include <oneapi/tbb/parallel_invoke.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/piece_cid.h"
#include "engine/pack_attempt.h"
#include "engine/pack_limits.h"
#include "engine/piece/segment_tree.h"
#include "engine/record/external_list.h"
#include "engine/record/file_row.h"
#include "engine/record/join_parts.h"
#include "engine/record/sidecar_content.h"
#include "engine/task_order.h"
#include "io/scratch_file.h"
#include "kernels/base/kill_point.h"

namespace piecework::engine {
namespace {

// Sidecars and spools: at most about 150 bytes a block beside the directories, which are part of the CAR.
Status check_space(const io::OutputDirectory& output, const PlannedBatch& batch,
                   const std::optional<io::PublishedFile>& car) {
  PIECEWORK_ASSIGN(const uint64_t available_bytes, output.available_bytes());
  const uint64_t sidecar_bytes = 150 * batch.totals.block_count + segment_count(batch.totals.car_bytes) * kDigestBytes;
  uint64_t needed_bytes = sidecar_bytes;
  if (car) {
    PIECEWORK_ASSIGN(const uint64_t allocated_bytes, car->allocated_bytes());
    needed_bytes += batch.totals.car_bytes - std::min(batch.totals.car_bytes, allocated_bytes);
  }
  if (needed_bytes <= available_bytes) return {};
  return fail(
      ErrorCode::kNoSpace, ErrorSide::kDestination,
      fmt::format("'{}' has {} bytes free, batch {} needs {}: free some space, choose another --out, or use --no-car",
                  printable(output.path()), available_bytes, batch.batch, needed_bytes));
}

bool same_bytes(const io::PublishedFile& ours, const io::File& theirs, uint64_t length_bytes) {
  std::vector<uint8_t> a(kMiB);
  std::vector<uint8_t> b(kMiB);
  for (uint64_t offset = 0; offset < length_bytes; offset += a.size()) {
    const size_t part_bytes = std::min<uint64_t>(a.size(), length_bytes - offset);
    const auto got_a = ours.read(MutableByteSpan(a).first(part_bytes), offset);
    const auto got_b = theirs.read_full(MutableByteSpan(b).first(part_bytes), offset);
    if (!got_a || !got_b || *got_a != part_bytes || *got_b != part_bytes) return false;
    if (std::memcmp(a.data(), b.data(), part_bytes) != 0) return false;
  }
  return true;
}

// Publishes `file` as `name`. A file of that name is kept where it holds the same: equal bytes, or, for a compressed
// sidecar, equal content.
Status publish(const io::OutputDirectory& output, io::PublishedFile& file, const std::string& name,
               const SidecarContent* content, bool has_index) {
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(name));
  if (outcome == io::CommitOutcome::kPublished) return {};
  PIECEWORK_ASSIGN(const std::optional<io::File> existing, output.try_open(name));
  if (existing) {
    PIECEWORK_ASSIGN(const io::FileStamp stamp, existing->stamp());
    PIECEWORK_ASSIGN(const uint64_t our_bytes, file.size_bytes());
    if (stamp.size_bytes == our_bytes && same_bytes(file, *existing, our_bytes)) return file.discard();
    if (content != nullptr) {
      const auto theirs = read_sidecar_content(*existing, has_index);
      if (theirs && theirs->sha256 == content->sha256) return file.discard();
    }
  }
  return fail(ErrorCode::kConflict, ErrorSide::kInternal,
              fmt::format("'{}' exists and holds something else than this batch; move it away and run again",
                          printable(output.path_of(name))));
}

SidecarContent content_of(ByteSpan bytes) { return {bytes.size(), kernels::sha256(bytes)}; }

Receipt make_receipt(const PlanSummary& plan, const PlannedBatch& batch, const PieceOutcome& piece) {
  Receipt receipt;
  receipt.plan_digest = plan.digest_text();
  receipt.batch = batch.batch;
  for (const Source& source : plan.sources) receipt.source_names.push_back(source.name);
  receipt.piece_cid_v1 = piece_cid_v1_text(piece.piece_root);
  receipt.piece_cid_v2 = piece_cid_v2_text(piece.piece_root, batch.totals.car_bytes);
  receipt.root_cid = cid_text(piece.root_cid);
  receipt.payload_bytes = batch.totals.car_bytes;
  receipt.padded_bytes = padded_bytes_for(batch.totals.car_bytes);
  receipt.block_count = piece.block_count;
  receipt.file_count = batch.totals.file_count;
  for (const SkippedItem& item : plan.skipped) {
    if (item.batch == batch.batch) receipt.skipped.push_back(item);
  }
  for (const PlannedPart& part : batch.role.parts) {
    receipt.parts.push_back({part.path, part.item_path, part.cid.text()});  // those of files get theirs from the table
  }
  const auto is_repository = [](const Source& source) { return source.kind == SourceKind::kKuboRepository; };
  receipt.codec_guessed =
      plan.options.all_blocks && std::any_of(plan.sources.begin(), plan.sources.end(), is_repository);
  return receipt;
}

Status check_equals(const Receipt& ours, const Receipt& published) {
  if (ours == published) return {};
  return fail(
      ErrorCode::kConflict, ErrorSide::kInternal,
      fmt::format("batch {} came out as {}, its receipt says {}: one of the two is wrong; nothing was overwritten",
                  ours.batch, ours.piece_cid_v1, published.piece_cid_v1));
}

// One attempt's work on one batch, phase by phase.
class BatchPacker {
 public:
  BatchPacker(PlanReader& plan, uint32_t batch, const SourceSet& sources, const io::OutputDirectory& output,
              const io::OutputDirectory& receipts, io::Backend& backend, const PackSettings& settings,
              const std::vector<JoinPart>& joined, PackAttempt& attempt, const std::optional<Receipt>& earlier)
      : plan_(plan),
        planned_(plan.summary().batches[batch]),
        sources_(sources),
        output_(output),
        receipts_(receipts),
        backend_(backend),
        settings_(settings),
        joined_(joined),
        attempt_(attempt),
        earlier_(earlier) {}

  Result<PackedBatch> pack() {
    PIECEWORK_TRY(attempt_.open_files(settings_.store_car));
    Result<PieceOutcome> piece = produce();
    // A checkpoint that does not fit, or whose CAR is neither here nor published, is as good as none.
    if (attempt_.state() && (piece ? !car_is_there(*piece) : does_not_fit(piece.error()))) {
      PIECEWORK_TRY(attempt_.start_anew(settings_.store_car));
      piece = produce();
    }
    if (!piece) return tl::unexpected<Error>(std::move(piece).error());

    // From here every byte of the CAR is in its file and the piece's CID is known.
    PIECEWORK_ASSIGN(Receipt receipt, finish_sidecars(*piece));
    if (earlier_) PIECEWORK_TRY(check_equals(receipt, *earlier_));

    // From here names appear; each is complete and durable before the next.
    PIECEWORK_TRY(publish_files(receipt));

    // The receipt is the only mark of "done".
    PIECEWORK_TRY(publish_receipt(receipt));
    return PackedBatch{.receipt = std::move(receipt),
                       .resumed_bytes = attempt_.state() ? attempt_.state()->car_bytes : 0,
                       .waiting_segments_max = piece->waiting_segments_max,
                       .waiting_bytes_max = piece->waiting_bytes_max};
  }

 private:
  static bool does_not_fit(const Error& error) {
    return error.code == ErrorCode::kCorrupt && error.side == ErrorSide::kConfig;
  }

  // The CAR's bytes: in the temporary, or published by an attempt that died soon after.
  bool car_is_there(const PieceOutcome& piece) {
    if (!attempt_.car_is_gone()) return true;
    const auto stamp = output_.try_stamp(car_name(piece_cid_v1_text(piece.piece_root)));
    return stamp && *stamp && (*stamp)->is_regular() && (*stamp)->size_bytes == planned_.totals.car_bytes;
  }

  Status check_stop() const {
    if (settings_.stop == nullptr || !settings_.stop->load()) return {};
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, std::string(kStoppedText));
  }

  // Reads the batch's sources, once, from where the attempt stands.
  Result<PieceOutcome> produce() {
    PIECEWORK_TRY(check_space(output_, planned_, attempt_.car()));
    io::UniqueFd car_direct;
    std::optional<io::PublishedFile>& car = attempt_.car();
    if (car && !attempt_.car_is_gone()) {
      PIECEWORK_TRY(car->reserve(planned_.totals.car_bytes));
      car_direct = io::reopen_direct(car->fd());
    }
    const std::string& scratch_path = settings_.scratch_path.empty() ? output_.path() : settings_.scratch_path;
    PIECEWORK_ASSIGN(ClassStore classes, ClassStore::create(planned_.totals.class_count, scratch_path));
    PIECEWORK_TRY(put_joined(classes));
    std::optional<ResumePoint> resume;
    if (attempt_.state()) {
      PIECEWORK_ASSIGN(resume, attempt_.load(classes));
    }
    PIECEWORK_ASSIGN(BatchReader records, plan_.read_batch(planned_.batch));
    PIECEWORK_ASSIGN(const std::unique_ptr<CheckpointFile> log, attempt_.open_log(backend_, settings_.checkpoints));
    NodesSpool spool(attempt_.spool());
    FileTableWriter file_table(attempt_.lines(), resume ? resume->file_table_bytes : 0);
    const PieceInputs inputs{.profile = plan_.summary().options.profile,
                             .batch = planned_,
                             .sources = sources_,
                             .backend = backend_,
                             .limits = limits_for_batch(settings_.limits, planned_.totals),
                             .car_fd = car ? car->fd() : -1,
                             .car_direct_fd = car_direct.get(),
                             .spool = spool,
                             .files = file_table,
                             .checkpoints = log.get(),
                             .resume = resume ? &*resume : nullptr,
                             .stop = settings_.stop,
                             .done_bytes = settings_.done_bytes};
    Result<PieceOutcome> piece = run_piece(std::move(records), std::move(classes), inputs);
    // Syncs in flight are of files that are closed or used otherwise from here on. One that failed outweighs a stop:
    // what it left behind must not be gone on from.
    const bool would_be_kept = piece || piece.error().code == ErrorCode::kCancelled;
    if (Status settled = log->settle(); would_be_kept && !settled) {
      return tl::unexpected<Error>(std::move(settled).error());
    }
    return piece;
  }

  Result<Receipt> finish_sidecars(const PieceOutcome& piece) {
    PIECEWORK_TRY(check_stop());
    PIECEWORK_ASSIGN(tree_, attempt_.open_sidecar("tree"));
    PIECEWORK_ASSIGN(nodes_, attempt_.open_sidecar("nodes"));
    PIECEWORK_ASSIGN(files_, attempt_.open_sidecar("files"));
    Receipt receipt = make_receipt(plan_.summary(), planned_, piece);
    const ByteSpan tree{piece.segment_roots.front().data(), piece.segment_roots.size() * kDigestBytes};
    PIECEWORK_TRY(tree_->write(tree, 0));
    receipt.tree = content_of(tree);
    Status files_status, nodes_status;
    tbb::task_arena arena(static_cast<int>(std::min(settings_.limits.thread_count, 2u)));
    const TaskOrder order(arena);
    const auto finish_files = order.parallel([&] { files_status = finish_file_table(piece, receipt); });
    const auto finish_nodes_file = order.parallel([&] { nodes_status = finish_nodes(piece, receipt.nodes); });
    arena.execute([&] { tbb::parallel_invoke(finish_files, finish_nodes_file); });
    order.join();
    PIECEWORK_TRY(std::move(files_status));
    PIECEWORK_TRY(std::move(nodes_status));
    if (planned_.totals.external_count > 0) PIECEWORK_TRY(list_external(receipt));
    return receipt;
  }

  Status finish_file_table(const PieceOutcome& piece, Receipt& receipt) {
    FileTableWriter file_table(attempt_.lines(), piece.file_table_bytes);
    std::function<Status(ByteSpan)> visit;
    if (lacks_part_cids(receipt)) visit = part_cid_reader(receipt);
    PIECEWORK_ASSIGN(receipt.files, file_table.finish(*files_, settings_.stop, visit));
    PIECEWORK_CHECK(!lacks_part_cids(receipt));  // every part is listed as a file
    return {};
  }

  Status finish_nodes(const PieceOutcome& piece, SidecarContent& content) {
    NodesSpool spool(attempt_.spool());
    const uint64_t first_section_bytes = car_v1_header_bytes(piece.root_cid.size());
    PIECEWORK_ASSIGN(content, spool.finish(piece.spool_bytes, first_section_bytes, *nodes_, settings_.stop));
    return {};
  }

  // In a join the digests of what stands elsewhere are known before anything is packed.
  Status put_joined(ClassStore& classes) const {
    for (size_t i = 0; i < joined_.size(); ++i) {
      const CidView cid = joined_[i].cid.view();
      ClassEntry entry{.is_raw = cid.codec == kCodecRaw};
      std::copy(cid.multihash.digest.begin(), cid.multihash.digest.end(), entry.digest.begin());
      PIECEWORK_TRY(classes.put(static_cast<uint32_t>(i + 1), entry));
    }
    return {};
  }

  static bool lacks_part_cids(const Receipt& receipt) {
    return std::any_of(receipt.parts.begin(), receipt.parts.end(),
                       [](const ReceiptPart& part) { return part.cid.empty(); });
  }

  // Takes the CIDs of parts of files from their rows.
  static std::function<Status(ByteSpan)> part_cid_reader(Receipt& receipt) {
    std::unordered_map<std::string, ReceiptPart*> parts;
    for (ReceiptPart& part : receipt.parts) parts.emplace(file_row_key(part.path), &part);
    return [parts = std::move(parts)](ByteSpan lines) {
      return visit_file_rows(lines, [&parts](std::string_view, const std::optional<FileRow>& row) -> Status {
        const auto part = row ? parts.find(row->key) : parts.end();
        if (part != parts.end()) part->second->cid = row->cid.text();
        return {};
      });
    };
  }

  Status list_external(Receipt& receipt) {
    PIECEWORK_ASSIGN(external_, attempt_.open_external_list());
    PIECEWORK_ASSIGN(BatchReader records, plan_.read_batch(planned_.batch));
    ExternalListWriter list(*external_);
    PIECEWORK_TRY(list.add_records(records, settings_.stop));
    for (const JoinPart& part : joined_) PIECEWORK_TRY(list.add(part.cid.bytes(), External::kPart, part.batch));
    PIECEWORK_ASSIGN(receipt.external, list.finish());
    receipt.external_count = list.count();
    return {};
  }

  Status publish_files(const Receipt& receipt) {
    if (attempt_.car_is_gone()) {
      PIECEWORK_TRY(attempt_.car()->discard());
    } else if (attempt_.car()) {
      PIECEWORK_TRY(check_stop());
      PIECEWORK_TRY(publish(output_, *attempt_.car(), car_name(receipt.piece_cid_v1), nullptr, false));
    }
    PIECEWORK_TRY(check_stop());
    PIECEWORK_TRY(publish(output_, *tree_, tree_name(receipt.piece_cid_v1), nullptr, false));
    PIECEWORK_TRY(publish(output_, *nodes_, nodes_name(receipt.piece_cid_v1), &receipt.nodes, true));
    PIECEWORK_TRY(publish(output_, *files_, files_name(receipt.piece_cid_v1), &receipt.files, false));
    if (!external_) return {};
    return publish(receipts_, *external_, external_list_name(receipt.batch), &receipt.external, false);
  }

  Status publish_receipt(const Receipt& receipt) {
    kill_point("receipt.before");
    const std::string text = receipt.to_json();
    PIECEWORK_ASSIGN(const io::CommitOutcome outcome,
                     io::publish_bytes(receipts_, receipt_name(receipt.batch), as_bytes(text), attempt_.name()));
    kill_point("receipt.after");
    if (outcome == io::CommitOutcome::kPublished) return {};
    PIECEWORK_ASSIGN(const std::optional<Receipt> published,
                     read_receipt(receipts_, receipt.plan_digest, receipt.batch));
    return published ? check_equals(receipt, *published) : Status();
  }

  PlanReader& plan_;
  const PlannedBatch& planned_;
  const SourceSet& sources_;
  const io::OutputDirectory& output_;
  const io::OutputDirectory& receipts_;
  io::Backend& backend_;
  const PackSettings& settings_;
  const std::vector<JoinPart>& joined_;  // of a file's join: what is joined
  PackAttempt& attempt_;
  const std::optional<Receipt>& earlier_;
  std::optional<io::PublishedFile> tree_;
  std::optional<io::PublishedFile> nodes_;
  std::optional<io::PublishedFile> files_;
  std::optional<io::PublishedFile> external_;
};

// What a file's join takes from the receipts of its parts; of any other batch nothing. Errors: kWaiting.
Result<std::vector<JoinPart>> parts_to_join(const PlanSummary& plan, uint32_t batch,
                                            const io::OutputDirectory& receipts) {
  const PlannedBatch& join = plan.batches[batch];
  if (!join.is_file_join()) return std::vector<JoinPart>{};
  PIECEWORK_ASSIGN(std::vector<JoinPart> parts, read_join_parts(plan, join, receipts));
  const JoinPart* const missing = first_missing(parts);
  if (missing != nullptr) {
    return fail(ErrorCode::kWaiting, ErrorSide::kInternal,
                fmt::format("batch {} joins the parts of '{}' and waits for batch {}, which has no receipt in '{}': "
                            "pack that one first",
                            batch, printable(join.role.join_path), missing->batch, printable(receipts.path())));
  }
  if (parts.size() == join.totals.class_count) return parts;
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("plan: batch {} joins {} parts, {} are planned; make the plan again", batch,
                          join.totals.class_count, parts.size()));
}

}  // namespace

Result<PackedBatch> pack_batch(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                               const io::OutputDirectory& output, io::Backend& backend, const PackSettings& settings) {
  const PlanSummary& summary = plan.summary();
  PIECEWORK_ASSIGN(const io::OutputDirectory receipts, receipts_directory(output, summary.digest_text()));
  const AttemptScope scope{.output = output,
                           .receipts = receipts,
                           .plan_digest = summary.digest,
                           .batch_digest = summary.batches[batch].digest,
                           .batch = batch,
                           .patience = settings.attempt_patience,
                           .stop = settings.stop,
                           .notice = settings.notice};
  std::optional<Receipt> earlier;
  const auto is_done_by_now = [&]() -> Result<bool> {
    PIECEWORK_ASSIGN(earlier, read_receipt(receipts, summary.digest_text(), batch));
    return earlier ? is_done(output, receipts, *earlier, settings.store_car) : Result<bool>(false);
  };
  PIECEWORK_ASSIGN(bool done, is_done_by_now());
  if (!done) {
    PIECEWORK_ASSIGN(const std::vector<JoinPart> joined, parts_to_join(summary, batch, receipts));
    PIECEWORK_ASSIGN(std::optional<PackAttempt> attempt, PackAttempt::claim(scope, is_done_by_now));
    if (attempt) {
      BatchPacker packer(plan, batch, sources, output, receipts, backend, settings, joined, *attempt, earlier);
      Result<PackedBatch> packed = packer.pack();
      // What a stopped attempt has is what the next one goes on from; after an error nothing of it is trusted. That a
      // temporary cannot be removed changes nothing about what came out.
      const bool is_stopped = !packed && packed.error().code == ErrorCode::kCancelled;
      const Status cleaned = is_stopped ? attempt->stop() : attempt->discard();
      if (packed && cleaned) PIECEWORK_TRY(PackAttempt::remove_leftovers(scope));
      return packed;
    }
  }
  PIECEWORK_TRY(PackAttempt::remove_leftovers(scope));
  return PackedBatch{.receipt = *earlier, .was_done = true};
}

Status remove_leftovers(const PlanSummary& plan, uint32_t batch, const io::OutputDirectory& output) {
  PIECEWORK_ASSIGN(const io::OutputDirectory receipts, receipts_directory(output, plan.digest_text()));
  return PackAttempt::remove_leftovers({.output = output,
                                        .receipts = receipts,
                                        .plan_digest = plan.digest,
                                        .batch_digest = plan.batches[batch].digest,
                                        .batch = batch});
}

}  // namespace piecework::engine
