// The phases of checking one CAR; see verify.h.
#include "engine/restore/verify.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <filesystem>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "engine/restore/verify_dag.h"
#include "engine/restore/verify_index.h"
#include "engine/restore/verify_pass.h"
#include "engine/task_order.h"
#include "io/car_reader.h"
#include "io/file.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// A batch for each thread that is large enough for all lanes to have blocks of 1 MiB.
constexpr size_t kBatchBytesPerThread = 16 * kMiB;
constexpr size_t kBatchThreadsMax = 4;
constexpr unsigned kThreadsMax = 1024;
constexpr size_t kSectionGuessBytes = 16 * kKiB;

Status check_stop(const VerifyOptions& options) {
  if (options.stop == nullptr || !options.stop->load(std::memory_order_relaxed)) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kSource, "stopped");
}

// One CAR being checked.
class CarVerification {
 public:
  CarVerification(const io::File& file, const VerifyOptions& options, VerifyReport& report)
      : file_(file),
        options_(options),
        report_(report),
        index_(options.memory_bytes),
        arena_(static_cast<int>(std::clamp(options.thread_count, 1u, kThreadsMax))) {}

  Result<CarFacts> run() {
    PIECEWORK_ASSIGN(const bool is_framed, first_pass());
    if (!is_framed) return std::move(facts_);
    facts_.duplicate_count = index_.sort();
    PIECEWORK_TRY(walk());
    check_name();
    return std::move(facts_);
  }

 private:
  // False where the framing ends in a problem: what follows it cannot be known.
  Result<bool> first_pass() {
    const size_t batch_bytes = kBatchBytesPerThread * std::clamp<size_t>(options_.thread_count, 1, kBatchThreadsMax);
    const io::CarReadOptions read_options{
        .side = ErrorSide::kSource, .zero_tail = options_.zero_tail, .batch_bytes = batch_bytes};
    Result<io::CarReader> reader = io::CarReader::open(
        io::read_descriptor(file_.fd(), file_.path(), ErrorSide::kSource), file_.path(), read_options);
    if (!reader) return framing_problem(std::move(reader).error());
    facts_.is_v2 = reader->is_v2();
    if (!read_roots(*reader)) return false;
    VerifyPass pass(file_.path(), index_, report_);
    const TaskOrder order(arena_);
    for (bool at_end = false; !at_end;) {
      PIECEWORK_TRY(check_stop(options_));
      Result<io::CarBatch> batch = reader->next_batch();
      if (!batch) return framing_problem(std::move(batch).error());
      PIECEWORK_TRY(pass.take(*batch));
      const auto run_task = order.parallel([&pass](size_t task_index) { pass.run_task(task_index); });
      arena_.execute([&] { tbb::parallel_for(size_t{0}, pass.task_count(), run_task); });
      order.join();
      pass.settle();
      if (options_.done_bytes != nullptr) *options_.done_bytes += batch->fresh_bytes.size();
      at_end = batch->at_end;
    }
    pass.finish(facts_);
    return true;
  }

  Result<bool> framing_problem(Error error) {
    if (error.code != ErrorCode::kCorrupt) return tl::unexpected<Error>(std::move(error));
    report_.problems.add({.kind = finding::kFraming, .piece = file_.path(), .actual = std::move(error.message)});
    return false;
  }

  bool read_roots(const io::CarReader& reader) {
    Result<CarHeader> header = decode_car_v1_header(reader.header());
    if (!header) {
      report_.problems.add({.kind = finding::kFraming,
                            .piece = file_.path(),
                            .offset_bytes = reader.header_offset_bytes(),
                            .expected = "a CARv1 header",
                            .actual = std::move(header.error().message)});
      return false;
    }
    for (const CidView& root : header->roots) {
      const Cid cid(root);
      const bool is_known = std::find(facts_.roots.begin(), facts_.roots.end(), cid) != facts_.roots.end();
      if (!is_known) facts_.roots.push_back(cid);
    }
    if (facts_.roots.empty()) {
      report_.warnings.add({.kind = finding::kNoRoots,
                            .piece = file_.path(),
                            .expected = "one root or more",
                            .actual = "none: no DAG to check"});
    }
    return true;
  }

  Status walk() {
    DagWalkInput input;
    input.piece = file_.path();
    input.roots = &facts_.roots;
    input.index = &index_;
    input.where_external = options_.where_external;
    input.read_section = [this](uint64_t offset_bytes) { return read_section(offset_bytes); };
    input.check_stop = [this] { return check_stop(options_); };
    PIECEWORK_ASSIGN(const DagWalkResult walked, walk_dag(input, report_));
    facts_.unreachable_count = index_.entry_count() - walked.visited_count;
    facts_.is_in_order = walked.is_in_order && facts_.unreachable_count == 0 && facts_.roots.size() == 1;
    facts_.is_dfs_preorder = facts_.is_in_order && facts_.duplicate_count == 0;
    if (facts_.unreachable_count > 0 && !facts_.roots.empty()) {
      report_.warnings.add({.kind = finding::kUnreachable,
                            .piece = file_.path(),
                            .expected = "every block under a root",
                            .actual = fmt::format("{} blocks that no root leads to", facts_.unreachable_count)});
    }
    return {};
  }

  // The first pass saw a whole section at this offset; if it is not there any more, the file changed.
  Result<std::vector<uint8_t>> read_section(uint64_t offset_bytes) const {
    std::vector<uint8_t> bytes(kSectionGuessBytes);
    PIECEWORK_ASSIGN(const size_t read_bytes, file_.read_full(bytes, offset_bytes));
    bytes.resize(read_bytes);
    const DecodedVarint length = decode_varint(bytes);
    if (length.status != VarintStatus::kOk || length.value > io::kCarSectionBytesMax) return changed(offset_bytes);
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length.length_bytes));
    const size_t present_bytes = bytes.size();
    bytes.resize(static_cast<size_t>(length.value));
    if (present_bytes >= bytes.size()) return bytes;
    const MutableByteSpan rest = MutableByteSpan(bytes).subspan(present_bytes);
    PIECEWORK_ASSIGN(const size_t rest_bytes,
                     file_.read_full(rest, offset_bytes + length.length_bytes + present_bytes));
    if (rest_bytes < rest.size()) return changed(offset_bytes);
    return bytes;
  }

  tl::unexpected<Error> changed(uint64_t offset_bytes) const {
    return fail(ErrorCode::kChanged, ErrorSide::kSource,
                fmt::format("{} changed while it was checked (at byte {})", printable(file_.path()), offset_bytes));
  }

  // A CAR named by its piece CID must be that piece.
  void check_name() {
    const std::string stem = std::filesystem::path(file_.path()).stem().string();
    const Result<PieceCid> named = parse_piece_cid(stem);
    if (named && named->root != facts_.commp) {
      report_.problems.add({.kind = finding::kPieceCid,
                            .piece = file_.path(),
                            .expected = piece_cid_v1_text(named->root),
                            .actual = piece_cid_v1_text(facts_.commp)});
    }
    if (facts_.car_bytes < kQuadBytes) {
      report_.warnings.add(
          {.kind = finding::kSmallPiece,
           .piece = file_.path(),
           .expected = fmt::format("at least {} bytes, or Go tools refuse its piece CID v2", kQuadBytes),
           .actual = fmt::format("{} bytes", facts_.car_bytes)});
    }
  }

  const io::File& file_;
  const VerifyOptions& options_;
  VerifyReport& report_;
  BlockIndex index_;
  tbb::task_arena arena_;
  CarFacts facts_;
};

}  // namespace

Result<CarFacts> verify_car(const std::string& path, const VerifyOptions& options, VerifyReport& report) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp before, file.stamp());
  if (!before.is_regular()) {
    return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                fmt::format("{} is no regular file: the DAG of a CAR is walked at its offsets", printable(path)));
  }
  PIECEWORK_ASSIGN(CarFacts facts, CarVerification(file, options, report).run());
  PIECEWORK_ASSIGN(const io::FileStamp after, file.stamp());
  if (after != before) {
    return fail(
        ErrorCode::kChanged, ErrorSide::kSource,
        fmt::format("{} changed while it was checked: {}", printable(path), io::describe_change(before, after)));
  }
  ++report.car_count;
  report.block_count += facts.block_count;
  report.car_bytes += facts.car_bytes;
  return facts;
}

}  // namespace piecework::engine
