// Regular files and streams as sequences of segments.
#include "engine/piece/segment_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/piece/piece_size.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

// How far the kernel is asked to read ahead: enough requests in flight for a disk, little beside the page cache.
constexpr uint64_t kReadAheadBytes = 32 * kMiB;
// Capacity asked for pipes: fewer switches between writer and reader. The kernel may refuse.
constexpr int kPipeBytes = 1 << 20;
// A stream's wait is cut into pieces of this length, so that a stop request is seen even if its signal came before the
// wait.
constexpr int kPollMs = 200;

class RegularFileSource final : public SegmentSource {
 public:
  RegularFileSource(int descriptor, std::string name, const io::FileStamp& stamp)
      : descriptor_(descriptor), name_(std::move(name)), stamp_(stamp) {
    posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  Result<bool> next(Segment& segment) override {
    const uint64_t offset_bytes = next_index_ * kSegmentBytes;
    if (offset_bytes >= stamp_.size_bytes) return false;
    segment.index = next_index_++;
    segment.payload_bytes = std::min(kSegmentBytes, stamp_.size_bytes - offset_bytes);
    read_ahead(offset_bytes);
    return true;
  }

  Status load(Segment& segment) const override {
    const uint64_t offset_bytes = segment.index * kSegmentBytes;
    const MutableByteSpan target(segment.buffer.get(), segment.payload_bytes);
    PIECEWORK_ASSIGN(const size_t read_bytes,
                     io::pread_full(descriptor_, target, offset_bytes, ErrorSide::kSource, name_));
    if (read_bytes == target.size()) return {};
    return fail(ErrorCode::kChanged, ErrorSide::kSource,
                fmt::format("{}: ends at {} bytes, had {} when reading began", name_, offset_bytes + read_bytes,
                            stamp_.size_bytes));
  }

  Status finish() const override {
    PIECEWORK_ASSIGN(const io::FileStamp now, io::stamp_fd(descriptor_, ErrorSide::kSource, name_));
    if (now.size_bytes == stamp_.size_bytes && now.mtime_ns == stamp_.mtime_ns) return {};
    return fail(ErrorCode::kChanged, ErrorSide::kSource,
                fmt::format("{}: changed while it was read ({})", name_, io::describe_change(stamp_, now)));
  }

 private:
  // Half the window at a time, so that there is one call for many segments.
  void read_ahead(uint64_t offset_bytes) {
    if (offset_bytes + kReadAheadBytes / 2 < read_ahead_end_bytes_) return;
    const uint64_t end_bytes = offset_bytes + kReadAheadBytes;
    posix_fadvise(descriptor_, static_cast<off_t>(read_ahead_end_bytes_),
                  static_cast<off_t>(end_bytes - read_ahead_end_bytes_), POSIX_FADV_WILLNEED);
    read_ahead_end_bytes_ = end_bytes;
  }

  int descriptor_;
  std::string name_;
  io::FileStamp stamp_;
  uint64_t next_index_ = 0;
  uint64_t read_ahead_end_bytes_ = 0;
};

class StreamSource final : public SegmentSource {
 public:
  StreamSource(int descriptor, std::string name, const std::atomic<bool>* stop)
      : descriptor_(descriptor), name_(std::move(name)), stop_(stop) {
    fcntl(descriptor_, F_SETPIPE_SZ, kPipeBytes);
  }

  Result<bool> next(Segment& segment) override {
    segment.index = next_index_;
    segment.payload_bytes = 0;
    while (segment.payload_bytes < kSegmentBytes) {
      PIECEWORK_ASSIGN(const size_t read_bytes, read_some(segment));
      if (read_bytes == 0) break;
      segment.payload_bytes += read_bytes;
    }
    if (segment.payload_bytes == 0) return false;
    ++next_index_;
    return true;
  }

  Status load(Segment& /*segment*/) const override { return {}; }
  Status finish() const override { return {}; }

 private:
  // Waits for bytes and appends them to the segment's buffer; 0 at the end of the stream.
  Result<size_t> read_some(const Segment& segment) {
    for (;;) {
      if (stop_ != nullptr && stop_->load(std::memory_order_relaxed))
        return fail(ErrorCode::kCancelled, ErrorSide::kSource, name_ + ": stopped");
      pollfd waiting{descriptor_, POLLIN, 0};
      const int ready_count = poll(&waiting, 1, kPollMs);
      if (ready_count == 0 || (ready_count < 0 && errno == EINTR)) continue;
      const ssize_t read_bytes =
          read(descriptor_, segment.buffer.get() + segment.payload_bytes, kSegmentBytes - segment.payload_bytes);
      if (read_bytes >= 0) return static_cast<size_t>(read_bytes);
      if (errno == EINTR || errno == EAGAIN) continue;
      return fail_errno(errno, ErrorSide::kSource,
                        fmt::format("{}: reading at {}", name_, next_index_ * kSegmentBytes + segment.payload_bytes));
    }
  }

  int descriptor_;
  std::string name_;
  const std::atomic<bool>* stop_;
  uint64_t next_index_ = 0;
};

}  // namespace

Result<std::unique_ptr<SegmentSource>> open_segment_source(int descriptor, std::string name,
                                                           const std::atomic<bool>* stop) {
  PIECEWORK_ASSIGN(const io::FileStamp stamp, io::stamp_fd(descriptor, ErrorSide::kSource, name));
  if (stamp.is_directory())
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, name + ": is a directory; a file is needed");
  // A descriptor that stands elsewhere, as one inherited may, is read from there: as a stream.
  if (stamp.is_regular() && stamp.size_bytes > 0 && lseek(descriptor, 0, SEEK_CUR) == 0)
    return std::make_unique<RegularFileSource>(descriptor, std::move(name), stamp);
  return std::make_unique<StreamSource>(descriptor, std::move(name), stop);
}

}  // namespace piecework::engine
