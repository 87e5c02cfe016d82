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

// A descriptor that counts while it is open, where it is given a counter.
class CountedFd {
 public:
  CountedFd() = default;
  explicit CountedFd(io::UniqueFd fd, std::atomic<int64_t>* count = nullptr) : fd_(std::move(fd)), count_(count) {}
  CountedFd(CountedFd&& other) noexcept : fd_(std::move(other.fd_)), count_(std::exchange(other.count_, nullptr)) {}
  CountedFd& operator=(CountedFd&& other) noexcept {
    reset();
    fd_ = std::move(other.fd_);
    count_ = std::exchange(other.count_, nullptr);
    return *this;
  }
  ~CountedFd() { reset(); }

  int get() const { return fd_.get(); }
  bool is_open() const { return fd_.is_open(); }
  // Returns false, and changes nothing, where `count_max` are counted already.
  bool count_in(std::atomic<int64_t>& count, int64_t count_max) {
    if (count.fetch_add(1) >= count_max) {
      count.fetch_sub(1);
      return false;
    }
    count_ = &count;
    return true;
  }
  void reset() {
    fd_.reset();
    if (std::atomic<int64_t>* count = std::exchange(count_, nullptr); count != nullptr) count->fetch_sub(1);
  }

 private:
  io::UniqueFd fd_;
  std::atomic<int64_t>* count_ = nullptr;
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
  size_t reserve_descriptors(size_t wanted_count);
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
  int64_t reserved_count_ = 0;
  bool is_last_start_ = false;
  std::function<void()> done_;
  std::deque<Lane> lanes_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> left_{0};
  std::mutex mutex_;
  std::optional<std::pair<uint32_t, Error>> first_;  // of the first file that failed, whatever the timing
};

}  // namespace piecework::engine
