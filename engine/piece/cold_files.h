// Files of a run that wait for a disk: what the read stage (source_reader.h) leaves where not all was in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/piece/run.h"
#include "engine/piece/source_reader.h"
#include "io/backend.h"
#include "io/file.h"
#include "io/file_stamp.h"

namespace piecework::engine {

// How many descriptors the files that wait for a disk hold, or are about to, in the whole process: half of the limit is
// left to what else is open. Safe for concurrent use.
class ColdDescriptors {
 public:
  // Takes at most `wanted`, and at least as many of them as every run needs to get on. Returns how many.
  static int64_t take(int64_t wanted);
  // Takes one, or none where all are taken.
  static bool try_take_one();
  static void give_back(int64_t count);
};

// A descriptor that may be one of those that count.
class CountedFd {
 public:
  CountedFd() = default;
  explicit CountedFd(io::UniqueFd fd) : fd_(std::move(fd)) {}
  CountedFd(CountedFd&& other) noexcept : fd_(std::move(other.fd_)), counts_(std::exchange(other.counts_, false)) {}
  CountedFd& operator=(CountedFd&& other) noexcept {
    reset();
    fd_ = std::move(other.fd_);
    counts_ = std::exchange(other.counts_, false);
    return *this;
  }
  ~CountedFd() { reset(); }

  int get() const { return fd_.get(); }
  bool is_open() const { return fd_.is_open(); }
  // Counts from now on; false, and nothing has changed, where there are too many.
  bool count() { return counts_ = ColdDescriptors::try_take_one(); }
  void reset() {
    fd_.reset();
    if (std::exchange(counts_, false)) ColdDescriptors::give_back(1);
  }

 private:
  io::UniqueFd fd_;
  bool counts_ = false;
};

// What is left of a file that was not all in memory.
struct ColdFile {
  uint32_t file_index = 0;
  uint32_t next_extent = 0;        // the first that is not (all) there
  uint32_t extent_done_bytes = 0;  // of it
  bool is_done = false;
  CountedFd owned_fd;  // empty for a shared file, or one that is still to be opened
  int fd = -1;
  io::FileStamp before;
};

// The files of one run. Belongs to the run; one start follows the other, and all work of a start is over when its
// `done` is called, on this thread or one of the backend's. A failure is left in run.status at the end of start_rest():
// that of the first file that failed, whatever the timing.
class ColdFiles {
 public:
  ColdFiles(SourceReader& reader, Run& run, std::vector<ColdFile> files)
      : reader_(reader), run_(run), files_(std::move(files)) {}

  // The backend opens and reads what is not open yet, and reads the last of what is.
  void start_first(std::function<void()> done);
  // This thread reads what has come meanwhile, and the backend the rest.
  void start_rest(std::function<void()> done);

 private:
  // One file at a time: open, then all its extents at once.
  struct Lane {
    explicit Lane(ColdFiles& owner) : batch(owner) {}
    ColdFiles& batch;
    ColdFile* file = nullptr;
    io::Operation open;
    std::string path;  // of a stored block
    std::unique_ptr<io::Operation[]> reads;
    std::atomic<size_t> reads_left{0};
  };

  const FileToRead& source(const ColdFile& file) const { return run_.files[file.file_index]; }
  void start(std::vector<ColdFile*> files, size_t lane_count, std::function<void()> done);
  void start_file(Lane& lane, ColdFile& file);
  void opened(Lane& lane);
  void start_reads(Lane& lane);
  void read(Lane& lane, const io::Operation& operation);
  void finish_file(Lane& lane);
  void fail_file(const ColdFile& file, Error error);
  void fail_stopped(const ColdFile& file);
  void finish();

  SourceReader& reader_;
  Run& run_;
  std::vector<ColdFile> files_;
  std::vector<ColdFile*> waiting_;  // of this start
  int64_t taken_count_ = 0;         // descriptors
  bool is_last_start_ = false;
  std::function<void()> done_;
  std::deque<Lane> lanes_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> left_{0};
  std::mutex mutex_;
  std::optional<std::pair<uint32_t, Error>> first_;  // of the first file that failed, whatever the timing
};

}  // namespace piecework::engine
