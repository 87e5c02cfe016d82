// Kernels and commP on data in memory.
#include "tools/bench_memory.h"

#include <cstring>
#include <string>

#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"
#include "kernels/variant.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

// Work in cache repeats until it lasts about this long, so that the clock's grain does not show.
constexpr uint64_t kInCacheBytes = 32 * kMiB;

double rate(uint64_t bytes, double seconds) { return static_cast<double>(bytes) / seconds; }

double measure_copy(ByteSpan source) {
  std::vector<uint8_t> target(source.size());
  return rate(source.size(), seconds_of([&] { std::memcpy(target.data(), source.data(), source.size()); }));
}

// A tree over 127 payload bytes has four nodes: the payload rate that the node kernel alone would allow.
double measure_nodes(ByteSpan source) {
  constexpr size_t kNodeCount = 1024;
  constexpr uint64_t kRepeats = kInCacheBytes / (kNodeCount * 2 * kDigestBytes);
  std::vector<uint8_t> nodes(kNodeCount * kDigestBytes);
  const double seconds = seconds_of([&] {
    for (uint64_t repeat = 0; repeat < kRepeats; ++repeat) kernels::hash_nodes(nodes.data(), source.data(), kNodeCount);
  });
  return rate(kRepeats * kNodeCount * engine::kQuadBytes / 4, seconds);
}

double measure_stream(ByteSpan source) {
  const ByteSpan stream = source.first(std::min<size_t>(source.size(), kInCacheBytes));
  Digest32 digest;
  return rate(stream.size(), seconds_of([&] { digest = kernels::sha256(stream); }));
}

double measure_block_digests(ByteSpan source, size_t block_bytes) {
  const size_t block_count = source.size() / block_bytes;
  std::vector<Digest32> digests(block_count);
  std::vector<kernels::HashJob> jobs(block_count);
  for (size_t block = 0; block < block_count; ++block)
    jobs[block] = {source.data() + block * block_bytes, block_bytes, digests[block].data()};
  return rate(block_count * block_bytes, seconds_of([&] { kernels::hash_many(jobs); }));
}

Result<double> measure_commp(const MemoryCorpus& corpus, unsigned thread_count) {
  Result<engine::Commp> commp;
  const double seconds = seconds_of([&] { commp = engine::commp_of_bytes(corpus.bytes, thread_count); });
  if (!commp) return tl::unexpected<Error>(commp.error());
  PIECEWORK_TRY(check_commp(corpus, 1, *commp));
  return rate(corpus.bytes.size(), seconds);
}

void restore_variants(const std::vector<kernels::VariantInfo>& before) {
  for (const kernels::VariantInfo& variant : before)
    if (variant.active) PIECEWORK_CHECK(kernels::force_variant(variant.kernel, variant.name));
}

}  // namespace

Digest32 MemoryCorpus::scalar_root(uint64_t copies) const {
  std::vector<Digest32> roots;
  for (uint64_t copy = 0; copy < copies; ++copy)
    roots.insert(roots.end(), scalar_segment_roots.begin(), scalar_segment_roots.end());
  return engine::piece_root(roots, copies * bytes.size());
}

MemoryCorpus make_memory_corpus(size_t segment_count) {
  MemoryCorpus corpus;
  corpus.bytes.resize(segment_count * engine::kSegmentBytes);
  fill_random(corpus.bytes);
  const std::vector<kernels::VariantInfo> before = all_variants();
  PIECEWORK_CHECK(kernels::force_variant("", "scalar"));
  for (size_t segment = 0; segment < segment_count; ++segment)
    corpus.scalar_segment_roots.push_back(engine::segment_root(&corpus.bytes[segment * engine::kSegmentBytes]));
  restore_variants(before);
  return corpus;
}

Status check_commp(const MemoryCorpus& corpus, uint64_t copies, const engine::Commp& commp) {
  if (commp.root == corpus.scalar_root(copies)) return {};
  return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: commP differs from the scalar kernels'");
}

void add_memory_figures(BenchSuite& suite, const MemoryCorpus& corpus, unsigned thread_count) {
  const ByteSpan bytes = corpus.bytes;
  suite.add({.name = "copy", .description = "copy in memory", .measure = [=] { return measure_copy(bytes); }});
  suite.add({.name = "node_kernel", .description = "tree node kernel, as payload", .measure = [=] {
               return measure_nodes(bytes);
             }});
  suite.add({.name = "digest_stream", .description = "SHA-256 of one stream", .measure = [=] {
               return measure_stream(bytes);
             }});
  suite.add({.name = "block_digests_1mib",
             .description = "digests of 1 MiB blocks",
             .limit_names = {"digest_stream"},
             .measure = [=] { return measure_block_digests(bytes, kMiB); }});
  suite.add({.name = "block_digests_16kib",
             .description = "digests of 16 KiB blocks",
             .limit_names = {"digest_stream"},
             .measure = [=] { return measure_block_digests(bytes, 16 * kKiB); }});
  suite.add({.name = "commp_memory_one_thread",
             .description = "commP in memory, 1 thread",
             .limit_names = {"node_kernel"},
             .measure = [&corpus] { return measure_commp(corpus, 1); }});
  suite.add({.name = "commp_memory",
             .description = "commP in memory, " + std::to_string(thread_count) + " threads",
             .limit_names = {"node_kernel"},
             .limit_factor = static_cast<double>(thread_count),
             .measure = [&corpus, thread_count] { return measure_commp(corpus, thread_count); }});
}

}  // namespace piecework::tools
