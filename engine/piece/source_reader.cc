#include "engine/piece/source_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "io/limits.h"

namespace piecework::engine {
namespace {

// Files of one run that the backend opens or reads at the same time.
constexpr size_t kColdFilesMax = 128;

// The path in the packed tree, or the CID of a stored block.
std::string_view tree_path(const Run& run, const FileToRead& file) {
  return run.text(file.path_position, file.path_bytes);
}

bool is_block(const FileToRead& file) { return file.store_source >= 0; }

// Half of the descriptors is left to what else is open; so many are enough for any disk to be busy.
int64_t cold_files_max() {
  constexpr uint64_t kAllColdFilesMax = 8192;
  return static_cast<int64_t>(std::min(kAllColdFilesMax, io::open_file_limit() / 2));
}

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

}  // namespace

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

// The files of one run that wait for a disk. The run's; all work is over when `done` of a start is called.
class ColdFiles {
 public:
  ColdFiles(SourceReader& reader, Run& run, std::vector<ColdFile> files)
      : reader_(reader), run_(run), files_(std::move(files)) {}

  // The backend opens and reads what is not open yet, and reads the last of what is.
  void start_first(std::function<void()> done) {
    std::vector<ColdFile*> first;
    ColdFile* last_open = nullptr;
    for (ColdFile& file : files_) {
      if (file.fd < 0)
        first.push_back(&file);
      else
        last_open = &file;
    }
    size_t lane_count = reserve_descriptors(std::min(first.size(), kColdFilesMax));
    if (last_open != nullptr) {
      first.push_back(last_open);
      ++lane_count;
    }
    start(std::move(first), lane_count, std::move(done));
  }

  // This thread reads what has come meanwhile, and the backend the rest.
  void start_rest(std::function<void()> done) {
    is_last_start_ = true;
    std::vector<ColdFile*> rest;
    for (ColdFile& file : files_) {
      if (file.is_done) continue;
      if (reader_.is_stopped()) {
        fail_stopped(file);
        break;
      }
      const auto warmth = reader_.read_cached(run_, source(file), file);
      if (!warmth)
        fail_file(file, warmth.error());
      else if (*warmth == SourceReader::Warmth::kCold) {
        rest.push_back(&file);
        continue;
      }
      file.is_done = true;
      file.owned_fd.reset();
    }
    const size_t lane_count = std::min(rest.size(), kColdFilesMax);  // all are open
    if (lane_count > 0) return start(std::move(rest), lane_count, std::move(done));
    done_ = std::move(done);
    finish();
  }

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

  // For so many lanes that open files, or as many as may be open: at least one, since every run must come to its end.
  size_t reserve_descriptors(size_t wanted_count) {
    if (wanted_count == 0) return 0;
    const auto wanted = static_cast<int64_t>(wanted_count);
    const int64_t free = reader_.cold_count_max_ - reader_.cold_count_.load();
    reserved_count_ = std::clamp<int64_t>(free, 1, wanted);
    reader_.cold_count_.fetch_add(reserved_count_);
    return static_cast<size_t>(reserved_count_);
  }

  void start(std::vector<ColdFile*> files, size_t lane_count, std::function<void()> done) {
    waiting_ = std::move(files);
    done_ = std::move(done);
    left_ = waiting_.size();
    lanes_.clear();
    for (size_t i = 0; i < lane_count; ++i) lanes_.emplace_back(*this);
    next_ = lane_count;
    // All may be over, and this object gone, inside the last of these calls.
    for (size_t i = 0; i < lane_count; ++i) start_file(lanes_[i], *waiting_[i]);
  }

  void start_file(Lane& lane, ColdFile& file) {
    lane.file = &file;
    if (file.fd >= 0) return start_reads(lane);
    lane.open.request = reader_.open_request(run_, source(file), lane.path);
    lane.open.user = &lane;
    lane.open.complete = [](io::Operation& operation) {
      Lane& opened = *static_cast<Lane*>(operation.user);
      opened.batch.opened(opened);
    };
    reader_.backend_.submit(lane.open);
  }

  void opened(Lane& lane) {
    ColdFile& file = *lane.file;
    if (!lane.open.result.ok()) {
      fail_file(file, io::operation_error(lane.open, ErrorSide::kSource, reader_.describe(run_, source(file))));
      return finish_file(lane);
    }
    file.owned_fd = CountedFd(io::UniqueFd(lane.open.result.fd));
    file.fd = file.owned_fd.get();
    auto stamp = io::stamp_fd(file.fd, ErrorSide::kSource, reader_.describe(run_, source(file)));
    Status status = stamp ? reader_.check_before(run_, source(file), *stamp) : tl::unexpected<Error>(stamp.error());
    if (!status) {
      fail_file(file, std::move(status).error());
      return finish_file(lane);
    }
    file.before = *stamp;
    start_reads(lane);
  }

  void start_reads(Lane& lane) {
    ColdFile& file = *lane.file;
    const size_t read_count = source(file).extent_end - file.next_extent;
    if (read_count == 0) return finish_file(lane);
    lane.reads = std::make_unique<io::Operation[]>(read_count);
    lane.reads_left = read_count;
    std::vector<io::Operation*> operations(read_count);
    for (size_t i = 0; i < read_count; ++i) {
      const ReadExtent& extent = run_.extents[file.next_extent + i];
      const uint32_t done_bytes = i == 0 ? file.extent_done_bytes : 0;
      const MutableByteSpan target = run_.slot.bytes.subspan(extent.buffer_offset_bytes, extent.length_bytes);
      io::Operation& operation = lane.reads[i];
      operation.request = io::ReadRequest{file.fd, target.subspan(done_bytes), extent.file_offset_bytes + done_bytes};
      operation.user = &lane;
      operation.complete = [](io::Operation& completed) {
        Lane& reading = *static_cast<Lane*>(completed.user);
        reading.batch.read(reading, completed);
      };
      operations[i] = &operation;
    }
    reader_.backend_.submit(operations);
  }

  void read(Lane& lane, const io::Operation& operation) {
    const FileToRead& file = source(*lane.file);
    const io::ReadRequest& request = std::get<io::ReadRequest>(operation.request);
    if (!operation.result.ok()) {
      fail_file(*lane.file, io::operation_error(operation, ErrorSide::kSource, reader_.describe(run_, file)));
    } else if (operation.result.done_bytes < request.target.size()) {
      fail_file(*lane.file, {ErrorCode::kChanged,
                             ErrorSide::kSource,
                             0,
                             fmt::format("'{}' ends at {} bytes, the plan saw {}: it shrank while it was packed",
                                         reader_.describe(run_, file),
                                         request.offset_bytes + operation.result.done_bytes, file.file_bytes),
                             {}});
    }
    if (lane.reads_left.fetch_sub(1) == 1) finish_file(lane);
  }

  void finish_file(Lane& lane) {
    ColdFile& file = *lane.file;
    if (file.fd >= 0) {
      if (Status status = reader_.check_after(run_, source(file), file.fd, file.before); !status) {
        fail_file(file, std::move(status).error());
      }
    }
    file.owned_fd.reset();
    file.is_done = true;
    size_t finished_count = 1;
    size_t next = next_.fetch_add(1);
    if (next < waiting_.size() && reader_.is_stopped()) {
      fail_stopped(*waiting_[next]);
      for (; next < waiting_.size(); next = next_.fetch_add(1)) ++finished_count;
    }
    // The count goes down last: whoever brings it to zero is alone with the files.
    const bool more = next < waiting_.size();
    if (left_.fetch_sub(finished_count) == finished_count) return finish();
    if (more) start_file(lane, *waiting_[next]);
  }

  void fail_file(const ColdFile& file, Error error) {
    const std::lock_guard lock(mutex_);
    if (first_ && first_->first <= file.file_index) return;
    first_.emplace(file.file_index, reader_.with_path(std::move(error), run_, source(file)));
  }

  void fail_stopped(const ColdFile& file) {
    fail_file(file, {ErrorCode::kCancelled, ErrorSide::kInternal, 0, std::string(kStoppedText), {}});
  }

  void finish() {
    if (is_last_start_ && first_) run_.status = tl::unexpected<Error>(first_->second);
    reader_.cold_count_.fetch_sub(std::exchange(reserved_count_, 0));
    const std::function<void()> done = std::move(done_);
    done();
  }

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

SourceReader::SourceReader(const SourceSet& sources, io::Backend& backend, const std::atomic<bool>* stop)
    : sources_(sources), backend_(backend), stop_(stop), cold_count_max_(cold_files_max()) {}

io::OpenRequest SourceReader::open_request(const Run& run, const FileToRead& file, std::string& block_path) const {
  const std::string_view path = tree_path(run, file);
  if (!is_block(file)) {
    const SourcePlace place = sources_.place(path);
    return {.directory_fd = place.directory->fd(), .path = place.path.data()};
  }
  BlockFile place = sources_.block_file(static_cast<size_t>(file.store_source), as_bytes(path));
  block_path = std::move(place.path);
  return {.directory_fd = place.fd, .path = block_path.c_str()};
}

std::string SourceReader::describe(const Run& run, const FileToRead& file) const {
  const std::string_view path = tree_path(run, file);
  if (is_block(file)) return sources_.describe_block(static_cast<size_t>(file.store_source), as_bytes(path));
  return sources_.describe(path);
}

Error SourceReader::with_path(Error error, const Run& run, const FileToRead& file) const {
  if (!is_block(file)) {
    error.path = tree_path(run, file);
  } else if (error.sys_errno != 0) {  // the message names what was at hand: a CID in bytes, or half a path
    error = errno_error(error.sys_errno, error.side,
                        fmt::format("block {} in '{}'", cid_text(as_bytes(tree_path(run, file))), describe(run, file)));
  }
  return error;
}

Status SourceReader::check_before(const Run& run, const FileToRead& file, const io::FileStamp& stamp) const {
  const bool same_bytes = stamp.is_regular() && stamp.size_bytes == file.file_bytes;
  if (same_bytes && (is_block(file) || stamp.mtime_ns == file.mtime_ns)) return {};
  std::string change = "it is no regular file any more";
  if (stamp.is_regular()) {
    change = stamp.size_bytes != file.file_bytes
                 ? fmt::format("expected {} bytes, found {}", file.file_bytes, stamp.size_bytes)
                 : std::string("its mtime differs");
  }
  return fail(
      ErrorCode::kChanged, ErrorSide::kSource,
      fmt::format("'{}' changed since the plan was made: {}; make the plan again", describe(run, file), change));
}

Status SourceReader::check_after(const Run& run, const FileToRead& file, int fd, const io::FileStamp& before) const {
  if (is_block(file)) return {};  // its digest is checked
  PIECEWORK_ASSIGN(const io::FileStamp after, io::stamp_fd(fd, ErrorSide::kSource, describe(run, file)));
  if (after == before) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource,
              fmt::format("'{}' changed while it was packed: {}; run again when it is quiet", describe(run, file),
                          io::describe_change(before, after)));
}

// A file of which nothing is read (it is empty, or equal to one that is packed): its stamp is enough, so it is not
// opened.
Status SourceReader::check_unread(const Run& run, const FileToRead& file) const {
  const SourcePlace place = sources_.place(tree_path(run, file));
  struct statx status = {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (statx(place.directory->fd(), place.path.data(), flags, STATX_BASIC_STATS, &status) != 0) {
    if (errno == ENAMETOOLONG) {
      PIECEWORK_ASSIGN(const io::File opened, io::open_beneath(*place.directory, place.path));
      PIECEWORK_ASSIGN(const io::FileStamp stamp, opened.stamp());
      return check_before(run, file, stamp);
    }
    return fail_errno(errno, ErrorSide::kSource, fmt::format("examining '{}'", describe(run, file)));
  }
  return check_before(run, file, io::stamp_of(status));
}

Status SourceReader::open_shared(const Run& run, const FileToRead& file) const {
  SharedFile& shared = *file.shared;
  std::call_once(shared.once, [&] {
    const SourcePlace place = sources_.place(tree_path(run, file));
    shared.status = [&]() -> Status {
      PIECEWORK_ASSIGN(shared.file, io::open_beneath(*place.directory, place.path));
      PIECEWORK_ASSIGN(shared.stamp, shared.file.stamp());
      return check_before(run, file, shared.stamp);
    }();
  });
  return shared.status;
}

// Opens the file where that needs no disk.
Result<SourceReader::Warmth> SourceReader::open_warm(const Run& run, const FileToRead& file, ColdFile& cold) const {
  if (file.shared != nullptr) {
    PIECEWORK_TRY(open_shared(run, file));
    cold.fd = file.shared->file.fd();
    cold.before = file.shared->stamp;
    return Warmth::kDone;
  }
  if (is_block(file) && sources_.is_car(static_cast<size_t>(file.store_source))) {
    cold.fd = sources_.car(static_cast<size_t>(file.store_source)).fd();
    return Warmth::kDone;
  }
  std::string block_path;
  const io::OpenRequest request = open_request(run, file, block_path);
  const std::string_view path = is_block(file) ? std::string_view(block_path) : tree_path(run, file);
  PIECEWORK_ASSIGN(std::optional<io::UniqueFd> opened,
                   io::try_open_cached(request.directory_fd, request.path, ErrorSide::kSource, path));
  if (!opened) return Warmth::kCold;
  cold.owned_fd = CountedFd(std::move(*opened));
  cold.fd = cold.owned_fd.get();
  PIECEWORK_ASSIGN(cold.before, io::stamp_fd(cold.fd, ErrorSide::kSource, path));
  PIECEWORK_TRY(check_before(run, file, cold.before));
  return Warmth::kDone;
}

// Fills in `cold` as far as it gets; kCold: the rest is the backend's work.
Result<SourceReader::Warmth> SourceReader::read_warm(const Run& run, const FileToRead& file, ColdFile& cold) {
  if (file.extent_begin == file.extent_end && file.shared == nullptr && !is_block(file)) {
    PIECEWORK_TRY(check_unread(run, file));
    return Warmth::kDone;
  }
  PIECEWORK_ASSIGN(const Warmth opened, open_warm(run, file, cold));
  if (opened == Warmth::kCold) return Warmth::kCold;
  return read_cached(run, file, cold);
}

// Reads on where `cold`, which is open, has got to.
Result<SourceReader::Warmth> SourceReader::read_cached(const Run& run, const FileToRead& file, ColdFile& cold) const {
  for (; cold.next_extent < file.extent_end; ++cold.next_extent, cold.extent_done_bytes = 0) {
    const ReadExtent& extent = run.extents[cold.next_extent];
    const MutableByteSpan target = run.slot.bytes.subspan(extent.buffer_offset_bytes, extent.length_bytes);
    const uint32_t done_bytes = cold.extent_done_bytes;
    PIECEWORK_ASSIGN(const io::CachedRead read,
                     io::try_read_cached(cold.fd, target.subspan(done_bytes), extent.file_offset_bytes + done_bytes,
                                         ErrorSide::kSource, tree_path(run, file)));
    if (read.end == io::ReadEnd::kFull) continue;
    cold.extent_done_bytes += static_cast<uint32_t>(read.read_bytes);
    if (read.end == io::ReadEnd::kWouldBlock) return Warmth::kCold;
    return fail(ErrorCode::kChanged, ErrorSide::kSource,
                fmt::format("'{}' ends at {} bytes, the plan saw {}: it shrank while it was packed",
                            describe(run, file), extent.file_offset_bytes + cold.extent_done_bytes, file.file_bytes));
  }
  PIECEWORK_TRY(check_after(run, file, cold.fd, cold.before));
  return Warmth::kDone;
}

ColdFile SourceReader::unread(const Run& run, uint32_t file_index) {
  ColdFile cold;
  cold.file_index = file_index;
  cold.next_extent = run.files[file_index].extent_begin;
  return cold;
}

void SourceReader::read(Run& run, std::function<void()> done) {
  std::vector<ColdFile> cold_files;
  for (uint32_t i = 0; i < run.files.size() && run.status; ++i) {
    ColdFile cold = unread(run, i);
    auto warmth = read_warm(run, run.files[i], cold);
    if (!warmth)
      run.status = tl::unexpected<Error>(with_path(std::move(warmth).error(), run, run.files[i]));
    else if (*warmth == Warmth::kCold) {
      // Lookups are often cached where data is not: what more files than may be kept open have is opened again when
      // its turn comes.
      if (cold.owned_fd.is_open() && !cold.owned_fd.count_in(cold_count_, cold_count_max_)) cold = unread(run, i);
      cold_files.push_back(std::move(cold));
    }
  }
  if (!run.status || cold_files.empty()) return done();
  run.cold_files = std::make_shared<ColdFiles>(*this, run, std::move(cold_files));
  run.cold_files->start_first(std::move(done));
}

void SourceReader::read_rest(Run& run, std::function<void()> done) {
  if (!run.status) run.cold_files.reset();
  if (run.cold_files == nullptr) return done();
  run.cold_files->start_rest(std::move(done));
}

}  // namespace piecework::engine
