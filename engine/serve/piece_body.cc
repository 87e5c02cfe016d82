#include "engine/serve/piece_body.h"

#include <algorithm>
#include <thread>

namespace piecework::engine {
namespace {

using Clock = std::chrono::steady_clock;

class VirtualBody : public io::HttpBody {
 public:
  VirtualBody(std::shared_ptr<VirtualPiece> piece, std::unique_ptr<PieceCursor> cursor, ByteSpan first)
      : piece_(std::move(piece)), cursor_(std::move(cursor)), rest_(first) {}

  Result<size_t> read(MutableByteSpan target) override {
    if (rest_.empty()) {
      PIECEWORK_ASSIGN(rest_, cursor_->next());
    }
    const size_t count = std::min(rest_.size(), target.size());
    std::copy_n(rest_.begin(), count, target.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  std::shared_ptr<VirtualPiece> piece_;  // outlives the cursor
  std::unique_ptr<PieceCursor> cursor_;
  ByteSpan rest_;  // of the cursor's last bytes
};

class FileBody : public io::HttpBody {
 public:
  FileBody(io::File file, uint64_t offset_bytes) : file_(std::move(file)), offset_bytes_(offset_bytes) {}

  Result<size_t> read(MutableByteSpan target) override {
    PIECEWORK_ASSIGN(const size_t count, file_.read_full(target, offset_bytes_));
    offset_bytes_ += count;
    return count;
  }

 private:
  io::File file_;
  uint64_t offset_bytes_;
};

class ThrottledBody : public io::HttpBody {
 public:
  ThrottledBody(std::unique_ptr<io::HttpBody> body, uint64_t bytes_per_second, const std::atomic<bool>& stop)
      : body_(std::move(body)), bytes_per_second_(bytes_per_second), stop_(stop) {}

  // Sends a tenth of a second's worth at a time, and the next one when its time has come.
  Result<size_t> read(MutableByteSpan target) override {
    const auto due = begin_ + std::chrono::duration<double>(static_cast<double>(sent_bytes_) /
                                                            static_cast<double>(bytes_per_second_));
    while (Clock::now() < due && !stop_.load(std::memory_order_relaxed)) {
      std::this_thread::sleep_for(std::min(std::chrono::duration<double>(due - Clock::now()),
                                           std::chrono::duration<double>(kStopLatencySeconds)));
    }
    const uint64_t part_bytes = std::max<uint64_t>(1, bytes_per_second_ / 10);
    PIECEWORK_ASSIGN(const size_t count, body_->read(target.first(std::min<uint64_t>(part_bytes, target.size()))));
    sent_bytes_ += count;
    return count;
  }

 private:
  static constexpr double kStopLatencySeconds = 0.1;

  std::unique_ptr<io::HttpBody> body_;
  const uint64_t bytes_per_second_;
  const std::atomic<bool>& stop_;
  const std::chrono::time_point<Clock, std::chrono::duration<double>> begin_ = Clock::now();
  uint64_t sent_bytes_ = 0;
};

}  // namespace

std::unique_ptr<io::HttpBody> virtual_body(std::shared_ptr<VirtualPiece> piece, std::unique_ptr<PieceCursor> cursor,
                                           ByteSpan first) {
  return std::make_unique<VirtualBody>(std::move(piece), std::move(cursor), first);
}

std::unique_ptr<io::HttpBody> file_body(io::File file, uint64_t offset_bytes) {
  return std::make_unique<FileBody>(std::move(file), offset_bytes);
}

std::unique_ptr<io::HttpBody> throttled_body(std::unique_ptr<io::HttpBody> body, uint64_t bytes_per_second,
                                             const std::atomic<bool>& stop) {
  return std::make_unique<ThrottledBody>(std::move(body), bytes_per_second, stop);
}

}  // namespace piecework::engine
