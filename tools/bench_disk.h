// The figures of `piecework bench` that use a disk, and the files they use.
#pragma once

#include <filesystem>
#include <string>

#include "kernels/base/error.h"
#include "tools/bench_memory.h"
#include "tools/bench_suite.h"

namespace piecework::tools {

// A directory of its own below another; it goes away, with all in it, with its owner. Movable, thread-compatible.
class ScratchDirectory {
 public:
  // Errors (destination): as mkdtemp(3).
  static Result<ScratchDirectory> create(const std::filesystem::path& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

struct DiskCorpusOptions {
  uint64_t large_file_copies = 8;  // of the memory corpus
  size_t small_file_count = 10000;
};

inline constexpr size_t kSmallFileBytes = 16384;

// One large file and many small ones below `directory`.
struct DiskCorpus {
  std::filesystem::path large_file;
  uint64_t large_file_copies = 0;
  uint64_t large_file_bytes = 0;
  std::filesystem::path small_files;  // a directory with entries "0", "1", ...
  size_t small_file_count = 0;
};

// Writes the small files; the large one is written by its figure. Errors (destination): kNoSpace, kIo, ...
Result<DiskCorpus> make_disk_corpus(const std::filesystem::path& directory, const MemoryCorpus& memory,
                                    const DiskCorpusOptions& options);

// `memory` and `corpus` outlive the suite. REQUIRES: the memory figures are in the suite.
void add_disk_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus, unsigned thread_count);

}  // namespace piecework::tools
