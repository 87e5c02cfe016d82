#include "engine/pack_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/piece_cid.h"
#include "engine/piece/segment_tree.h"
#include "engine/record/sidecar_content.h"
#include "io/scratch_file.h"

namespace piecework::engine {
namespace {

// The temporary files of one attempt. Their names carry plan and batch, their locks keep other attempts away.
struct Temporaries {
  std::optional<io::PublishedFile> car;
  std::optional<io::PublishedFile> tree;
  std::optional<io::PublishedFile> nodes;
  std::optional<io::PublishedFile> files;
  std::optional<io::PublishedFile> spool;
  std::optional<io::PublishedFile> lines;
};

Result<std::optional<io::PublishedFile>> open_temporary(const io::OutputDirectory& output, const std::string& what) {
  PIECEWORK_ASSIGN(auto file, io::PublishedFile::open(output, what, io::PublishedFile::Mode::kFresh));
  if (file) return file;
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal,
              fmt::format("another attempt is packing this batch ('{}' is locked); run again when it has ended",
                          printable(output.path_of(io::temporary_name(what)))));
}

Result<Temporaries> open_temporaries(const io::OutputDirectory& output, const std::string& attempt, bool store_car) {
  Temporaries files;
  PIECEWORK_ASSIGN(files.tree, open_temporary(output, attempt + ".tree"));
  PIECEWORK_ASSIGN(files.nodes, open_temporary(output, attempt + ".nodes"));
  PIECEWORK_ASSIGN(files.files, open_temporary(output, attempt + ".files"));
  PIECEWORK_ASSIGN(files.spool, open_temporary(output, attempt + ".spool"));
  PIECEWORK_ASSIGN(files.lines, open_temporary(output, attempt + ".lines"));
  if (store_car) {
    PIECEWORK_ASSIGN(files.car, open_temporary(output, attempt + ".car"));
  }
  return files;
}

// Sidecars and spool: at most about 150 bytes a block beside the directories, which are part of the CAR.
Status check_space(const io::OutputDirectory& output, const PlannedBatch& batch, bool store_car) {
  PIECEWORK_ASSIGN(const uint64_t available_bytes, output.available_bytes());
  const uint64_t sidecar_bytes = 150 * batch.totals.block_count + segment_count(batch.totals.car_bytes) * kDigestBytes;
  const uint64_t needed_bytes = sidecar_bytes + (store_car ? batch.totals.car_bytes : 0);
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

// Done: the receipt, the sidecars and, if wanted, a CAR of the right length are there.
Result<bool> is_done(const io::OutputDirectory& output, const Receipt& receipt, bool store_car) {
  for (const std::string& name :
       {tree_name(receipt.piece_cid_v1), nodes_name(receipt.piece_cid_v1), files_name(receipt.piece_cid_v1)}) {
    PIECEWORK_ASSIGN(const std::optional<io::File> file, output.try_open(name));
    if (!file) return false;
  }
  if (!store_car) return true;
  PIECEWORK_ASSIGN(const std::optional<io::File> car, output.try_open(car_name(receipt.piece_cid_v1)));
  if (!car) return false;
  PIECEWORK_ASSIGN(const io::FileStamp stamp, car->stamp());
  return stamp.size_bytes == receipt.payload_bytes;
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
  return receipt;
}

Status check_equals(const Receipt& ours, const Receipt& published) {
  if (ours == published) return {};
  return fail(
      ErrorCode::kConflict, ErrorSide::kInternal,
      fmt::format("batch {} came out as {}, its receipt says {}: one of the two is wrong; nothing was overwritten",
                  ours.batch, ours.piece_cid_v1, published.piece_cid_v1));
}

}  // namespace

std::string car_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".car"; }
std::string tree_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".tree"; }
std::string nodes_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".nodes"; }
std::string files_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".files.ndjson.zst"; }

Result<PackedBatch> pack_batch(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                               const io::OutputDirectory& output, io::Backend& backend, const PackSettings& settings) {
  const PlanSummary& summary = plan.summary();
  const PlannedBatch& planned = summary.batches[batch];
  PIECEWORK_ASSIGN(const io::OutputDirectory receipts, receipts_directory(output, summary.digest_text()));
  PIECEWORK_ASSIGN(const std::optional<Receipt> earlier, read_receipt(receipts, batch));
  if (earlier) {
    PIECEWORK_ASSIGN(const bool done, is_done(output, *earlier, settings.store_car));
    if (done) return PackedBatch{*earlier, true, 0, 0};
  }
  PIECEWORK_TRY(check_space(output, planned, settings.store_car));
  const std::string attempt = fmt::format("{}-{}", summary.digest_text().substr(0, 16), batch);
  PIECEWORK_ASSIGN(Temporaries files, open_temporaries(output, attempt, settings.store_car));
  io::UniqueFd car_direct;
  if (files.car) {
    PIECEWORK_TRY(files.car->reserve(planned.totals.car_bytes));
    car_direct = io::reopen_direct(files.car->fd());
  }
  NodesSpool spool(*files.spool);
  PIECEWORK_ASSIGN(ClassStore classes, ClassStore::create(planned.totals.class_count, output.path()));
  PIECEWORK_ASSIGN(BatchReader records, plan.read_batch(batch));

  // From here the batch's sources are read, once.
  FileTableWriter file_table(*files.lines, 0);
  const PieceInputs inputs{.profile = summary.options.profile,
                           .batch = planned,
                           .sources = sources,
                           .backend = backend,
                           .limits = settings.limits,
                           .car_fd = files.car ? files.car->fd() : -1,
                           .car_direct_fd = car_direct.get(),
                           .spool = spool,
                           .files = file_table,
                           .stop = settings.stop,
                           .done_bytes = settings.done_bytes};
  PIECEWORK_ASSIGN(const PieceOutcome piece, run_piece(std::move(records), std::move(classes), inputs));

  // From here every byte of the CAR is in its file and the piece's CID is known.
  Receipt receipt = make_receipt(summary, planned, piece);
  const ByteSpan tree{piece.segment_roots.front().data(), piece.segment_roots.size() * kDigestBytes};
  PIECEWORK_TRY(files.tree->write(tree, 0));
  receipt.tree = content_of(tree);
  PIECEWORK_ASSIGN(receipt.files, file_table.finish(*files.files, settings.stop));
  const uint64_t first_section_bytes = car_v1_header_bytes(piece.root_cid.size());
  PIECEWORK_ASSIGN(receipt.nodes, spool.finish(piece.spool_bytes, first_section_bytes, *files.nodes, settings.stop));
  if (earlier) PIECEWORK_TRY(check_equals(receipt, *earlier));

  // From here names appear; each is complete and durable before the next.
  if (files.car) PIECEWORK_TRY(publish(output, *files.car, car_name(receipt.piece_cid_v1), nullptr, false));
  PIECEWORK_TRY(publish(output, *files.tree, tree_name(receipt.piece_cid_v1), nullptr, false));
  PIECEWORK_TRY(publish(output, *files.nodes, nodes_name(receipt.piece_cid_v1), &receipt.nodes, true));
  PIECEWORK_TRY(publish(output, *files.files, files_name(receipt.piece_cid_v1), &receipt.files, false));

  // The receipt is the only mark of "done".
  const std::string text = receipt.to_json();
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, io::publish_bytes(receipts, receipt_name(batch), as_bytes(text)));
  if (outcome == io::CommitOutcome::kAlreadyExists) {
    PIECEWORK_ASSIGN(const std::optional<Receipt> published, read_receipt(receipts, batch));
    if (published) PIECEWORK_TRY(check_equals(receipt, *published));
  }
  return PackedBatch{std::move(receipt), false, piece.waiting_segments_max, piece.waiting_bytes_max};
}

}  // namespace piecework::engine
