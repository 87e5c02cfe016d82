// Reads files of an inventory while a plan is made, many at a time, and only as long as they are what was listed.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "engine/plan/source_set.h"

namespace piecework::engine {

// A file to read, with its path in the packed tree.
struct FileToRead {
  EntryIndex entry = 0;
  size_t position = 0;  // among all that are read in this pass
  std::string path;
};

// Visits the files that are not empty and for which `wanted` is true, in order, in rounds of paths. Thread-compatible;
// references outlive it.
class FilePass {
 public:
  using ReadFile = std::function<Status(const FileToRead&, const io::File&)>;

  FilePass(const Inventory& inventory, const SourceSet& sources, unsigned thread_count, const std::atomic<bool>* stop)
      : inventory_(inventory), sources_(sources), thread_count_(thread_count), stop_(stop) {}

  // Calls `read` in parallel. Errors: those of `read`, of the earliest file whatever the timing; of the source: a file
  // that vanished, changed since it was listed, or cannot be read. Error::path is its path in the packed tree.
  // kCancelled.
  Status run(const std::function<bool(EntryIndex)>& wanted, const ReadFile& read);

 private:
  const Inventory& inventory_;
  const SourceSet& sources_;
  unsigned thread_count_;
  const std::atomic<bool>* stop_;
};

// Fills `target`. Errors (source): kChanged where the file ends before.
Status read_exactly(const io::File& file, MutableByteSpan target, uint64_t offset_bytes);

// Calls `part` with the file's bytes, at most 4 MiB rounded down to whole units of `unit_bytes` at a time. `read_bytes`
// grows, for progress; may be null.
Status for_each_part(const io::File& file, uint64_t file_bytes, uint64_t unit_bytes, std::atomic<uint64_t>* read_bytes,
                     const std::function<void(ByteSpan)>& part);

}  // namespace piecework::engine
