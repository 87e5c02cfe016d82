// The figures of `piecework bench` that need no disk: kernels, block digests, commP in memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/piece/commp.h"
#include "kernels/base/bytes.h"
#include "tools/bench_suite.h"

namespace piecework::tools {

// Input in memory, always the same, with the segment roots that the scalar kernels give it: every measured commP is
// checked against them.
struct MemoryCorpus {
  std::vector<uint8_t> bytes;  // whole segments, a power of two of them
  std::vector<Digest32> scalar_segment_roots;

  // The scalar kernels' root of the corpus repeated `copies` times.
  [[nodiscard]] Digest32 scalar_root(uint64_t copies) const;
};

// Forces the scalar variants while it hashes, then the ones before again. Not thread-safe: call at start.
MemoryCorpus make_memory_corpus(size_t segment_count);

// An internal kConflict where `commp` is not what the scalar kernels say about `copies` of the corpus.
Status check_commp(const MemoryCorpus& corpus, uint64_t copies, const engine::Commp& commp);

// What `work` hashes, the scalar kernels hash; those of before are in force again afterwards. Not thread-safe.
void with_scalar_kernels(const std::function<void()>& work);

// Adds copy and node_kernel, which stand beside every other figure. `corpus` outlives the suite, here and below.
void add_kernel_figures(BenchSuite& suite, const MemoryCorpus& corpus);
// Adds SHA-256 of one stream, of blocks, and commP in memory by each number of threads.
// REQUIRES: the kernel figures are in the suite.
void add_memory_figures(BenchSuite& suite, const MemoryCorpus& corpus, const std::vector<unsigned>& thread_counts);

// "commp_1_thread", "commp_2_threads".
std::string name_with_threads(std::string_view name, unsigned thread_count);

}  // namespace piecework::tools
