// Reads the lists of directories that a walk comes to next, on threads of its own, so that the walk finds them read.
//
// In the page cache this keeps the other cores busy; on a cold disk many lists and inodes are on their way at once. The
// order in which lists arrive changes nothing: the walk takes each when it is there. What was not read ahead, or could
// not be, the walk reads itself, and only it reports errors.
//
// Bounded: at most 256 directories at a time and an eighth of the descriptors that the process may have, lists of at
// most 160 KiB (40 MiB in all), and nothing below a depth of 128, which few trees have.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/dir_reader.h"

namespace piecework::engine {

// A directory's list, and what is known of the lists below it.
struct ListedDirectory {
  struct Asked;
  struct Below {
    size_t entry_index = 0;
    std::shared_ptr<Asked> asked;
  };

  std::shared_ptr<const io::File> directory;
  io::DirectoryListing listing;
  // Entry indexes from the walk's start: the order of the walk. None so deep that nothing is read ahead.
  std::optional<std::vector<uint32_t>> place = std::vector<uint32_t>();
  std::deque<Below> below;      // in order; asked for and not taken yet
  size_t next_to_ask = 0;       // entries before it were looked at
};

// The place of an entry of `parent`.
std::optional<std::vector<uint32_t>> place_below(const ListedDirectory& parent, size_t entry_index);

// Thread-compatible: one walk uses it.
class ListingAhead {
 public:
  // With one thread nothing is read ahead unless the disk turns out to be slow.
  ListingAhead(unsigned thread_count, bool include_hidden);
  ~ListingAhead();
  ListingAhead(const ListingAhead&) = delete;
  ListingAhead& operator=(const ListingAhead&) = delete;

  // The directory at `entry_index` of `parent`, where it was read ahead; none: to be read by the caller. Where a thread
  // is at it, reads others meanwhile. Asks for what follows in `parent`.
  std::optional<ListedDirectory> take(ListedDirectory& parent, size_t entry_index);

  // Told how long the walk itself took, or waited, for a list: slow disks get more threads.
  void note_wait(std::chrono::nanoseconds waited, size_t entry_count);

 private:
  using Asked = ListedDirectory::Asked;

  void ask_below(ListedDirectory& parent, size_t asked_max);  // REQUIRES: mutex_ is held
  void grow(size_t worker_count);
  void work();
  // Reads the first directory of the queue, unlocked meanwhile. REQUIRES: `lock` holds mutex_; the queue is not empty.
  void read_first(std::unique_lock<std::mutex>& lock);

  const bool include_hidden_;
  const size_t worker_count_min_;
  std::mutex mutex_;
  std::condition_variable work_is_there_;
  std::condition_variable list_is_there_;
  // By place: what the walk needs first, first. Gone are those whose parent the walk has left.
  std::map<std::vector<uint32_t>, std::weak_ptr<Asked>> queue_;
  const size_t asked_max_;
  const std::shared_ptr<std::atomic<size_t>> asked_count_;  // not taken yet, in whatever state
  bool is_ahead_ = false;
  bool is_over_ = false;

  std::vector<std::thread> workers_;        // of the walk alone, like slow_time_
  std::chrono::nanoseconds slow_time_{0};  // beyond what lists take that are in the page cache
};

}  // namespace piecework::engine
