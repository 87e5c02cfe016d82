// The read stage: brings file bytes straight to their final places in a run's buffer.
//
// Warm files are read by the calling worker with calls that never wait for a disk. Such a call starts the disk where
// something is not in memory, so the worker leaves the file and goes on; the backend waits for the last file of the run
// and opens those whose names are not in memory either. Then a worker takes what has come meanwhile: workers copy side
// by side, the backend's ring in one thread. What still lacks is the backend's, many files at a time.
//
// Around each read the file's stamp is compared: with what the plan saw (size, mtime), and before with after (inode,
// ctime too). A file that is not what it was is an error of that source, never a silently different piece. A block of a
// store is read by its length; its digest, checked afterwards, says whether it is right.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "engine/piece/run.h"
#include "engine/plan/source_set.h"
#include "io/backend.h"

namespace piecework::engine {

struct ColdFile;

// Safe for concurrent use on different runs.
class SourceReader {
 public:
  // Where `stop` is given and becomes true, files that are not begun yet are left unread: kCancelled.
  SourceReader(const SourceSet& sources, io::Backend& backend, const std::atomic<bool>* stop)
      : sources_(sources), backend_(backend), stop_(stop) {}

  // Reads what is in memory and starts the disk for the rest of `run`, then calls `done` once, on this thread or one of
  // the backend's. A failure is left in run.status, with Error::path set to the file's path in the packed tree.
  void read(Run& run, std::function<void()> done);
  // To be called after `done` of read(), on any thread but the backend's: reads the rest, then calls `done` likewise.
  void read_rest(Run& run, std::function<void()> done);

 private:
  friend class ColdFiles;

  enum class Warmth : uint8_t { kDone, kCold };

  static ColdFile unread(const Run& run, uint32_t file_index);
  Result<Warmth> read_warm(const Run& run, const FileToRead& file, ColdFile& cold);
  Result<Warmth> read_cached(const Run& run, const FileToRead& file, ColdFile& cold) const;
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
