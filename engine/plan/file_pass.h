// Reads files of an inventory while a plan is made, many at a time, and only as long as they are what was listed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/source_set.h"

namespace piecework::engine {

// A file to read, with its path in the packed tree, and what it has to be.
struct ListedFile {
  EntryIndex entry = 0;
  size_t position = 0;  // among all that are read in this pass
  std::string path;
  uint64_t file_bytes = 0;
  int64_t mtime_ns = 0;
};

using ReadListedFile = std::function<Status(const ListedFile&, const io::File&)>;

// How many files are in memory at once.
inline constexpr size_t kFilesPerRound = 512;

// Opens files in parallel and hands each to `read`, where it is what it was listed as. Thread-compatible.
class FileRounds {
 public:
  // `since`: "while the plan was made", for messages. References outlive the object.
  FileRounds(const SourceSet& sources, unsigned thread_count, const std::atomic<bool>* stop, ReadListedFile read,
             std::string_view since);
  ~FileRounds();

  // Errors: those of `read`, of the earliest file whatever the timing; of the source: a file that vanished, changed
  // since it was listed, or cannot be read. Error::path is its path in the packed tree. kCancelled.
  Status read(const std::vector<ListedFile>& round);

 private:
  class Reader;
  std::unique_ptr<Reader> reader_;
};

// Visits the files that are not empty and for which `wanted` is true, in order, in rounds of paths. Thread-compatible;
// references outlive it.
class FilePass {
 public:
  FilePass(const Inventory& inventory, const SourceSet& sources, unsigned thread_count, const std::atomic<bool>* stop)
      : inventory_(inventory), sources_(sources), thread_count_(thread_count), stop_(stop) {}

  // Calls `read` in parallel. Errors: as FileRounds.
  Status run(const std::function<bool(EntryIndex)>& wanted, ReadListedFile read);

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
