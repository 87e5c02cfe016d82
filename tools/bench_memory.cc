// Kernels and commP on data in memory.
#include "tools/bench_memory.h"

#include <fmt/format.h>

#include <algorithm>
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

Sample measure_copy(ByteSpan source) {
  std::vector<uint8_t> target(source.size());
  return sample_of(source.size(), [&] { std::memcpy(target.data(), source.data(), source.size()); });
}

// A tree over 127 payload bytes has four nodes: the payload rate that the node kernel alone would allow.
Sample measure_nodes(ByteSpan source) {
  constexpr size_t kNodeCount = 1024;
  constexpr uint64_t kRepeats = kInCacheBytes / (kNodeCount * 2 * kDigestBytes);
  std::vector<uint8_t> nodes(kNodeCount * kDigestBytes);
  return sample_of(kRepeats * kNodeCount * engine::kQuadBytes / 4, [&] {
    for (uint64_t repeat = 0; repeat < kRepeats; ++repeat) kernels::hash_nodes(nodes.data(), source.data(), kNodeCount);
  });
}

Sample measure_stream(ByteSpan source) {
  const ByteSpan stream = source.first(std::min<size_t>(source.size(), kInCacheBytes));
  Digest32 digest;
  return sample_of(stream.size(), [&] { digest = kernels::sha256(stream); });
}

Sample measure_block_digests(ByteSpan source, size_t block_bytes) {
  const size_t block_count = source.size() / block_bytes;
  std::vector<Digest32> digests(block_count);
  std::vector<kernels::HashJob> jobs(block_count);
  for (size_t block = 0; block < block_count; ++block)
    jobs[block] = {source.data() + block * block_bytes, block_bytes, digests[block].data()};
  return sample_of(block_count * block_bytes, [&] { kernels::hash_many(jobs); });
}

Result<Sample> measure_commp(const MemoryCorpus& corpus, unsigned thread_count) {
  Result<engine::Commp> commp;
  const Sample sample =
      sample_of(corpus.bytes.size(), [&] { commp = engine::commp_of_bytes(corpus.bytes, thread_count); });
  if (!commp) return tl::unexpected<Error>(commp.error());
  PIECEWORK_TRY(check_commp(corpus, 1, *commp));
  return sample;
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
  with_scalar_kernels([&] {
    for (size_t segment = 0; segment < segment_count; ++segment)
      corpus.scalar_segment_roots.push_back(engine::segment_root(&corpus.bytes[segment * engine::kSegmentBytes]));
  });
  return corpus;
}

Status check_commp(const MemoryCorpus& corpus, uint64_t copies, const engine::Commp& commp) {
  if (commp.root == corpus.scalar_root(copies)) return {};
  return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: commP differs from the scalar kernels'");
}

void with_scalar_kernels(const std::function<void()>& work) {
  const std::vector<kernels::VariantInfo> before = all_variants();
  PIECEWORK_CHECK(kernels::force_variant("", "scalar"));
  work();
  for (const kernels::VariantInfo& variant : before)
    if (variant.active) PIECEWORK_CHECK(kernels::force_variant(variant.kernel, variant.name));
}

void add_kernel_figures(BenchSuite& suite, const MemoryCorpus& corpus) {
  const ByteSpan bytes = corpus.bytes;
  suite.add({.name = "copy", .description = "copy in memory", .measure = [bytes] { return measure_copy(bytes); }});
  suite.add({.name = "node_kernel", .description = "node kernel, as payload of a piece", .measure = [bytes] {
               return measure_nodes(bytes);
             }});
}

void add_memory_figures(BenchSuite& suite, const MemoryCorpus& corpus, const std::vector<unsigned>& thread_counts) {
  const ByteSpan bytes = corpus.bytes;
  suite.add({.name = "digest_stream", .description = "SHA-256 of one stream", .measure = [bytes] {
               return measure_stream(bytes);
             }});
  suite.add({.name = "block_digests_1mib", .description = "digests of 1 MiB blocks", .measure = [bytes] {
               return measure_block_digests(bytes, kMiB);
             }});
  suite.add({.name = "block_digests_16kib", .description = "digests of 16 KiB blocks", .measure = [bytes] {
               return measure_block_digests(bytes, 16 * kKiB);
             }});
  for (const unsigned thread_count : thread_counts) {
    suite.add({.name = name_with_threads("commp", thread_count),
               .description = "commP",
               .thread_count = thread_count,
               .limits = {{.parts = {{"node_kernel"}}, .factor = static_cast<double>(thread_count)}},
               .measure = [&corpus, thread_count] { return measure_commp(corpus, thread_count); }});
  }
}

std::string name_with_threads(std::string_view name, unsigned thread_count) {
  return fmt::format("{}_{}_thread{}", name, thread_count, thread_count == 1 ? "" : "s");
}

}  // namespace piecework::tools
