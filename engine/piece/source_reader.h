// The read stage: brings file bytes straight to their final places in a run's buffer.
//
// Warm files are read by the calling worker with calls that never wait for a disk; what would block goes to the
// backend, many files at a time. Around each read the file's stamp is compared: with what the plan saw (size, mtime),
// and before with after (inode, ctime too). A file that is not what it was is an error of that source, never a silently
// different piece. A block of a store is read by its length; its digest, checked afterwards, says whether it is right.
#pragma once

#include <atomic>
#include <functional>

#include "engine/piece/run.h"
#include "engine/plan/source_set.h"
#include "io/backend.h"

namespace piecework::engine {

// Safe for concurrent use on different runs.
class SourceReader {
 public:
  // Where `stop` is given and becomes true, files that are not begun yet are left unread: kCancelled.
  SourceReader(const SourceSet& sources, io::Backend& backend, const std::atomic<bool>* stop)
      : sources_(sources), backend_(backend), stop_(stop) {}

  // Reads everything of `run`, then calls `done` once, on this thread or one of the backend's. A failure is left in
  // run.status, with Error::path set to the file's path in the packed tree.
  void read(Run& run, std::function<void()> done);

 private:
  class ColdBatch;
  struct ColdFile;

  enum class Warmth : uint8_t { kDone, kCold };

  static ColdFile unread(const Run& run, uint32_t file_index);
  Result<Warmth> read_warm(Run& run, const FileToRead& file, ColdFile& cold);
  Result<Warmth> open_warm(const Run& run, const FileToRead& file, ColdFile& cold) const;
  Status check_before(const Run& run, const FileToRead& file, const io::FileStamp& stamp) const;
  Status check_after(const Run& run, const FileToRead& file, int fd, const io::FileStamp& before) const;
  Status check_unread(const Run& run, const FileToRead& file) const;
  Status open_shared(const Run& run, const FileToRead& file) const;
  bool is_stopped() const { return stop_ != nullptr && stop_->load(std::memory_order_relaxed); }
  // `block_path` receives the path of a stored block, which the request then points into.
  io::OpenRequest open_request(const Run& run, const FileToRead& file, std::string& block_path) const;
  std::string describe(const Run& run, const FileToRead& file) const;
  Error with_path(Error error, const Run& run, const FileToRead& file) const;

  const SourceSet& sources_;
  io::Backend& backend_;
  const std::atomic<bool>* stop_;
};

}  // namespace piecework::engine
