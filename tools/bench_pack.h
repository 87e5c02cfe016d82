// The figures of `piecework bench` for what it is all about: pack of a corpus to a CAR on the disk, commP of a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/bench_corpus.h"
#include "tools/bench_suite.h"

namespace piecework::tools {

// What every try must come to: known from the first try, whose CAR the scalar kernels have hashed.
struct ExpectedPiece {
  std::string piece_cid_v2;
  uint64_t payload_bytes = 0;
};

// Adds pack_cold_* and pack_warm_* for each number of threads, and commp_warm_* where the corpus is one file. A try of
// pack is `piecework pack` as a process of its own: its time runs from start to exit, so it includes planning and the
// fsync of the CAR; bytes are the source's. Every try must give the same piece; the scalar kernels hash the CAR of the
// first. Pieces are written below `scratch` and removed after each try. All outlive the suite.
// REQUIRES: the kernel and disk figures are in the suite.
void add_pack_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus,
                      const std::filesystem::path& scratch, const std::vector<unsigned>& thread_counts,
                      ExpectedPiece& expected);

}  // namespace piecework::tools
