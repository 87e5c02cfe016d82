// Runs of this program over a corpus, and what limits them.
#include "tools/bench_pack.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/codec/piece_cid.h"
#include "engine/piece/commp.h"
#include "tools/bench_disk.h"
#include "tools/child_process.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

// What the figures of one corpus share.
struct PackBench {
  const DiskCorpus& corpus;
  std::filesystem::path scratch;
  ExpectedPiece& expected;
};

struct PackedPiece {
  std::string piece_cid_v2;
  std::string car;
  uint64_t payload_bytes = 0;
  uint64_t resident_bytes = 0;
};

// Of what `pack --json --stats` printed.
Result<PackedPiece> read_report(const std::string& text) {
  try {
    const nlohmann::json report = nlohmann::json::parse(text);
    const nlohmann::json& pieces = report.at("pieces");
    if (pieces.size() == 1) {
      return PackedPiece{.piece_cid_v2 = pieces[0].at("piece_cid_v2"),
                         .car = pieces[0].at("car"),
                         .payload_bytes = pieces[0].at("payload_bytes"),
                         .resident_bytes = report.at("resident_bytes_max")};
    }
  } catch (const nlohmann::json::exception&) {
    // Said below.
  }
  return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: pack did not report one piece: " + text);
}

Status check_by_scalar_kernels(const PackedPiece& piece, unsigned thread_count) {
  Result<engine::Commp> commp;
  with_scalar_kernels(
      [&] { commp = engine::commp_of_file(piece.car, {.thread_count = thread_count, .stop = &stop_requested()}); });
  PIECEWORK_TRY(commp);
  if (engine::piece_cid_v2_text(commp->root, commp->payload_bytes) == piece.piece_cid_v2) return {};
  return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: commP of a CAR differs from the scalar kernels'");
}

Status check_piece(ExpectedPiece& expected, const PackedPiece& piece) {
  if (expected.piece_cid_v2.empty()) {
    PIECEWORK_TRY(check_by_scalar_kernels(piece, usable_thread_count()));
    expected = {piece.piece_cid_v2, piece.payload_bytes};
  }
  if (piece.piece_cid_v2 == expected.piece_cid_v2) return {};
  return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: pack gave another piece than before");
}

Result<Sample> run_pack(const PackBench& bench, unsigned thread_count) {
  PIECEWORK_ASSIGN(const ScratchDirectory output, ScratchDirectory::create(bench.scratch));
  std::vector<std::string> arguments{"pack", bench.corpus.source.native()};
  arguments.insert(arguments.end(), bench.corpus.pack_options.begin(), bench.corpus.pack_options.end());
  for (const std::string& word : {std::string("--out"), output.path().native(), std::string("--threads"),
                                  std::to_string(thread_count), std::string("--json"), std::string("--stats")})
    arguments.push_back(word);
  PIECEWORK_ASSIGN(const FinishedChild child, run_self(arguments, bench.scratch));
  PIECEWORK_ASSIGN(const PackedPiece piece, read_report(child.standard_output));
  PIECEWORK_TRY(check_piece(bench.expected, piece));
  return Sample{.bytes = bench.corpus.bytes,
                .seconds = child.usage.seconds,
                .cpu_seconds = child.usage.cpu_seconds,
                .resident_bytes = piece.resident_bytes,
                .io_wait_seconds = child.usage.io_wait_seconds,
                .foreign_cpu_seconds = child.usage.foreign_cpu_seconds};
}

Result<Sample> measure_cold_pack(const PackBench& bench, unsigned thread_count) {
  PIECEWORK_TRY(drop_pages(bench.corpus));
  PIECEWORK_ASSIGN(const double fraction, cached_fraction(bench.corpus));
  PIECEWORK_ASSIGN(Sample sample, run_pack(bench, thread_count));
  sample.cached_fraction = fraction;
  return sample;
}

Result<Sample> measure_warm_pack(const PackBench& bench, unsigned thread_count) {
  PIECEWORK_TRY(read_files(bench.corpus, usable_thread_count()));
  return run_pack(bench, thread_count);
}

Result<Sample> measure_commp(const MemoryCorpus& memory, const DiskCorpus& corpus, unsigned thread_count) {
  PIECEWORK_TRY(read_files(corpus, usable_thread_count()));
  Result<engine::Commp> commp;
  const Sample sample = sample_of(corpus.bytes, [&] {
    commp = engine::commp_of_file(corpus.source.native(), {.thread_count = thread_count, .stop = &stop_requested()});
  });
  PIECEWORK_TRY(commp);
  PIECEWORK_TRY(check_commp(memory, corpus.memory_corpus_copies, *commp));
  return sample;
}

// On each thread: read what is read, digest the blocks, hash the tree over what the CAR holds. With duplicates, reading
// and digesting happens once for every file, to know them, and again for what is packed.
std::vector<Limit> pack_limits(const DiskCorpus& corpus, unsigned thread_count, bool cold) {
  const double packed = corpus.distinct_fraction;
  const double read = packed == 1 ? 1 : 1 + packed;
  std::vector<Limit> limits{{.parts = {{"read_warm", read}, {"digests", read}, {"node_kernel", packed}},
                             .factor = static_cast<double>(thread_count)},
                            {.parts = {{"disk_write", packed}}}};
  if (cold) limits.push_back({.parts = {{"read_cold"}}});
  return limits;
}

}  // namespace

void add_pack_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus,
                      const std::filesystem::path& scratch, const std::vector<unsigned>& thread_counts,
                      ExpectedPiece& expected) {
  const PackBench bench{.corpus = corpus, .scratch = scratch, .expected = expected};
  for (const bool cold : {true, false}) {
    const std::string cache = cold ? "cold" : "warm";
    for (const unsigned thread_count : thread_counts) {
      suite.add({.name = name_with_threads("pack_" + cache, thread_count),
                 .description = "pack",
                 .cache = cache,
                 .thread_count = thread_count,
                 .limits = pack_limits(corpus, thread_count, cold),
                 .measure = [bench, cold, thread_count] {
                   return cold ? measure_cold_pack(bench, thread_count) : measure_warm_pack(bench, thread_count);
                 }});
    }
  }
  if (corpus.memory_corpus_copies == 0) return;
  for (const unsigned thread_count : thread_counts) {
    suite.add({.name = name_with_threads("commp_warm", thread_count),
               .description = "commP of the file",
               .cache = "warm",
               .thread_count = thread_count,
               .limits = {{.parts = {{"read_warm"}, {"node_kernel"}}, .factor = static_cast<double>(thread_count)}},
               .measure = [&memory, &corpus, thread_count] { return measure_commp(memory, corpus, thread_count); }});
  }
}

}  // namespace piecework::tools
