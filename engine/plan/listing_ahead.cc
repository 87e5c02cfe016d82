#include "engine/plan/listing_ahead.h"

#include <sys/resource.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kAskedMax = 256;
constexpr uint64_t kDescriptorShare = 8;  // each that is asked for holds one or two
constexpr uint64_t kEntriesMax = 1024;    // larger directories are read in parallel by themselves (io/dir_reader.h)
constexpr uint64_t kListBytesMax = 160 * kKiB;  // entries with usual names fit; those with long symlinks may not
constexpr size_t kDepthMax = 128;
constexpr size_t kAskedByWalk = 32;    // below the directory that the walk is in
constexpr size_t kAskedByWorker = 16;  // below one that was read ahead
constexpr size_t kWorkersWhereSlow = 16;

// A list in the page cache takes less, with what it costs to wake a thread.
constexpr std::chrono::nanoseconds kFastList{200'000};
constexpr std::chrono::nanoseconds kFastEntry{5'000};

size_t asked_max_here() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return std::min<uint64_t>(kAskedMax, limit.rlim_cur / kDescriptorShare);
}

}  // namespace

std::optional<std::vector<uint32_t>> place_below(const ListedDirectory& parent, size_t entry_index) {
  if (!parent.place || parent.place->size() >= kDepthMax) return std::nullopt;
  std::vector<uint32_t> place = *parent.place;
  place.push_back(static_cast<uint32_t>(entry_index));
  return place;
}

struct ListedDirectory::Asked {
  enum class State : uint8_t { kQueued, kRunning, kDone };

  Asked(std::shared_ptr<std::atomic<size_t>> counter, const ListedDirectory& parent, size_t entry_index)
      : alive_count(std::move(counter)),
        base(parent.directory),
        name(parent.listing.entry(entry_index).name),
        place(*place_below(parent, entry_index)) {
    alive_count->fetch_add(1);
  }
  ~Asked() { alive_count->fetch_sub(1); }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  // None where it cannot be read, or is too large to be held for later.
  std::optional<ListedDirectory> read() const {
    ListedDirectory read;
    auto opened = io::open_beneath(*base, name, io::kOpenDirectory);
    if (!opened) return std::nullopt;
    read.directory = std::make_shared<const io::File>(std::move(*opened));
    io::DirectoryReader reader(*read.directory, {.entry_count_max = kEntriesMax});
    if (!reader.next(read.listing) || read.listing.entry_count() == kEntriesMax) return std::nullopt;
    if (read.listing.memory_bytes() > kListBytesMax) return std::nullopt;
    read.place = place;
    return read;
  }

  const std::shared_ptr<std::atomic<size_t>> alive_count;
  const std::shared_ptr<const io::File> base;
  const std::string name;
  const std::vector<uint32_t> place;
  State state = State::kQueued;
  std::optional<ListedDirectory> result;
};

ListingAhead::ListingAhead(unsigned thread_count, bool include_hidden)
    : include_hidden_(include_hidden),
      worker_count_min_(std::max(thread_count, 1U) - 1),
      asked_max_(asked_max_here()),
      asked_count_(std::make_shared<std::atomic<size_t>>(0)),
      is_ahead_(worker_count_min_ > 0) {}

ListingAhead::~ListingAhead() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  work_is_there_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::optional<ListedDirectory> ListingAhead::take(ListedDirectory& parent, size_t entry_index) {
  while (!parent.below.empty() && parent.below.front().entry_index < entry_index) parent.below.pop_front();
  std::shared_ptr<Asked> asked;
  if (!parent.below.empty() && parent.below.front().entry_index == entry_index) {
    asked = std::move(parent.below.front().asked);
    parent.below.pop_front();
  }
  parent.next_to_ask = std::max(parent.next_to_ask, entry_index + 1);
  std::unique_lock lock(mutex_);
  ask_below(parent, kAskedByWalk);
  if (!queue_.empty()) {
    lock.unlock();
    grow(worker_count_min_);
    lock.lock();
  }
  if (!asked) return std::nullopt;
  if (asked->state == Asked::State::kQueued) {  // reading it here is quicker than waiting for a thread
    queue_.erase(asked->place);
    return std::nullopt;
  }
  while (asked->state != Asked::State::kDone) {
    if (queue_.empty()) {
      list_is_there_.wait(lock);
    } else {  // the walk is a worker too
      read_first(lock);
    }
  }
  return std::move(asked->result);
}

void ListingAhead::note_wait(std::chrono::nanoseconds waited, size_t entry_count) {
  const std::chrono::nanoseconds above = waited - kFastList - kFastEntry * static_cast<int64_t>(entry_count);
  slow_time_ = std::max(slow_time_ + above, std::chrono::nanoseconds(0));
  if (slow_time_ > 10 * kFastList) grow(kWorkersWhereSlow);
}

void ListingAhead::ask_below(ListedDirectory& parent, size_t asked_max) {
  // Of a directory that was closed meanwhile the walk itself opens what is below.
  if (!is_ahead_ || parent.directory == nullptr || !parent.place || parent.place->size() >= kDepthMax) return;
  size_t queued = 0;
  for (; parent.next_to_ask < parent.listing.entry_count() && parent.below.size() < asked_max; ++parent.next_to_ask) {
    if (asked_count_->load() >= asked_max_) break;
    const io::DirectoryEntry entry = parent.listing.entry(parent.next_to_ask);
    if (entry.kind != io::EntryKind::kDirectory || (!include_hidden_ && entry.name.front() == '.')) continue;
    auto asked = std::make_shared<Asked>(asked_count_, parent, parent.next_to_ask);
    queue_.emplace(asked->place, asked);
    parent.below.push_back({parent.next_to_ask, std::move(asked)});
    ++queued;
  }
  if (queued > 0) work_is_there_.notify_all();
}

void ListingAhead::grow(size_t worker_count) {
  if (workers_.size() >= worker_count) return;
  {
    const std::lock_guard lock(mutex_);
    is_ahead_ = true;
  }
  while (workers_.size() < worker_count) {
    try {
      workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return;  // a limit on threads: those that are there do it
    }
  }
}

void ListingAhead::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_is_there_.wait(lock, [&] { return is_over_ || !queue_.empty(); });
    if (is_over_) return;
    read_first(lock);
  }
}

void ListingAhead::read_first(std::unique_lock<std::mutex>& lock) {
  const auto first = queue_.begin();
  const std::shared_ptr<Asked> asked = first->second.lock();
  queue_.erase(first);
  if (!asked) return;
  asked->state = Asked::State::kRunning;
  lock.unlock();
  std::optional<ListedDirectory> result = asked->read();
  lock.lock();
  if (result) ask_below(*result, kAskedByWorker);
  asked->result = std::move(result);
  asked->state = Asked::State::kDone;
  list_is_there_.notify_all();
}

}  // namespace piecework::engine
