#include "io/spool_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "io/errno_map.h"
#include "io/scratch_file.h"
#include "kernels/base/units.h"

namespace piecework::io {
namespace {

constexpr size_t kBufferBytes = kMiB;
constexpr int kPollMs = 200;

Status check_stop(const std::atomic<bool>* stop, const std::string& name) {
  if (stop == nullptr || !stop->load(std::memory_order_relaxed)) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal, fmt::format("stopped while reading {}", name));
}

// The bytes of one read; 0 at the end of the stream. A stop counts more than that end: what stops this process often
// stops the one that writes the stream too, and half a stream is not its fault.
Result<size_t> read_some(int descriptor, MutableByteSpan target, const std::string& name, const std::atomic<bool>* stop,
                         uint64_t offset_bytes) {
  for (;;) {
    PIECEWORK_TRY(check_stop(stop, name));
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready_count = poll(&waiting, 1, kPollMs);
    if (ready_count == 0 || (ready_count < 0 && errno == EINTR)) continue;
    const ssize_t read_bytes = read(descriptor, target.data(), target.size());
    if (read_bytes == 0) PIECEWORK_TRY(check_stop(stop, name));
    if (read_bytes >= 0) return static_cast<size_t>(read_bytes);
    if (errno == EINTR || errno == EAGAIN) continue;
    return tl::unexpected<Error>(errno_error_of(OperationKind::kRead, errno, ErrorSide::kSource, name, offset_bytes));
  }
}

}  // namespace

Result<File> spool_stream(int descriptor, const std::string& name, const std::string& scratch_directory,
                          const std::atomic<bool>* stop, std::atomic<uint64_t>* copied_bytes) {
  PIECEWORK_ASSIGN(File spool, make_scratch_file(scratch_directory));
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(kBufferBytes);
  uint64_t offset_bytes = 0;
  for (;;) {
    PIECEWORK_ASSIGN(const size_t read_bytes,
                     read_some(descriptor, {buffer.get(), kBufferBytes}, name, stop, offset_bytes));
    if (read_bytes == 0) return spool;
    if (Status written = spool.write_full({buffer.get(), read_bytes}, offset_bytes); !written) {
      written.error().message +=
          fmt::format("; {} is kept in the scratch directory '{}' first: free space there, or name another",
                      printable(name), printable(scratch_directory));
      return tl::unexpected<Error>(std::move(written).error());
    }
    offset_bytes += read_bytes;
    if (copied_bytes != nullptr) copied_bytes->fetch_add(read_bytes, std::memory_order_relaxed);
  }
}

}  // namespace piecework::io
