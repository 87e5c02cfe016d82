// The files that `piecework bench` packs, made on the spot: the same bytes on every machine, so the same piece CIDs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "tools/bench_memory.h"

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

struct CorpusFile {
  std::filesystem::path path;
  uint64_t bytes = 0;
};

// Files on disk, written and synced.
struct DiskCorpus {
  std::filesystem::path source;           // what pack is given
  std::vector<std::string> pack_options;  // and with what
  std::vector<CorpusFile> files;          // all that hold payload
  uint64_t bytes = 0;                     // of all files
  double distinct_fraction = 1;           // of `bytes` that a CAR needs once
  uint64_t memory_corpus_copies = 0;      // the one file is the corpus in memory so many times; 0: it is not
};

// Names of the corpora on disk, in the order of measuring: large, small, web, duplicates, flatfs.
std::vector<std::string> disk_corpus_names();
// One line for people.
std::string disk_corpus_description(std::string_view name);

// Makes a corpus in `directory`; `smoke` takes a tiny one. REQUIRES: a name from above.
// Errors: of writing (destination); kCancelled on a stop request.
Result<DiskCorpus> make_disk_corpus(std::string_view name, const std::filesystem::path& directory,
                                    const MemoryCorpus& memory, bool smoke);

// Writes a new file without waiting for the disk. Errors (destination).
Status write_corpus_file(DiskCorpus& corpus, const std::filesystem::path& path, ByteSpan content);

}  // namespace piecework::tools
