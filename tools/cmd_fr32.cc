// `piecework fr32 [--unpad] < IN > OUT`: the Fr32 bytes of a payload, and back. Source: formats.md 8.
//
// A filter with one buffer on each side. Padding fills a last quad that is not whole with zero bytes, as commP does; it
// does not fill up to a power of two. Unpadding needs whole padded quads, and refuses bytes whose two top bits are set:
// they are not Fr32.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "engine/piece/piece_size.h"
#include "kernels/base/bytes.h"
#include "kernels/fr32/fr32.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"

namespace piecework::tools {
namespace {

using engine::kLeafBytes;
using engine::kPaddedQuadBytes;
using engine::kQuadBytes;

constexpr size_t kQuadsPerRead = 8192;  // 1 MiB padded

struct Fr32Flags {
  bool unpad = false;
};

// Fills `target` from standard input; less than its size only at the end.
Result<size_t> read_input(MutableByteSpan target) {
  size_t filled_bytes = 0;
  while (filled_bytes < target.size()) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kSource, "stopped");
    const ssize_t read_bytes = read(STDIN_FILENO, target.data() + filled_bytes, target.size() - filled_bytes);
    if (read_bytes == 0) break;
    if (read_bytes > 0) filled_bytes += static_cast<size_t>(read_bytes);
    if (read_bytes < 0 && errno != EINTR) return fail_errno(errno, ErrorSide::kSource, "reading standard input");
  }
  return filled_bytes;
}

Status write_output(ByteSpan source) {
  while (!source.empty()) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kDestination, "stopped");
    const ssize_t written_bytes = write(STDOUT_FILENO, source.data(), source.size());
    if (written_bytes >= 0) source = source.subspan(static_cast<size_t>(written_bytes));
    if (written_bytes < 0 && errno != EINTR)
      return fail_errno(errno, ErrorSide::kDestination, "writing standard output");
  }
  return {};
}

Status pad_all() {
  std::vector<uint8_t> payload(kQuadsPerRead * kQuadBytes);
  std::vector<uint8_t> padded(kQuadsPerRead * kPaddedQuadBytes);
  for (;;) {
    PIECEWORK_ASSIGN(const size_t read_bytes, read_input(payload));
    const size_t quad_count = div_ceil(read_bytes, kQuadBytes);
    std::fill(payload.begin() + static_cast<ptrdiff_t>(read_bytes),
              payload.begin() + static_cast<ptrdiff_t>(quad_count * kQuadBytes), uint8_t{0});
    kernels::fr32_pad(padded.data(), payload.data(), quad_count);
    PIECEWORK_TRY(write_output(ByteSpan(padded).first(quad_count * kPaddedQuadBytes)));
    if (read_bytes < payload.size()) return {};
  }
}

// `padded` begins at `offset_bytes` of the input.
Status check_fr32(ByteSpan padded, uint64_t offset_bytes) {
  if (padded.size() % kPaddedQuadBytes != 0)
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("standard input: {} bytes are not a multiple of {}", offset_bytes + padded.size(),
                            kPaddedQuadBytes));
  for (size_t last = kLeafBytes - 1; last < padded.size(); last += kLeafBytes) {
    if (padded[last] > 0x3F)
      return fail(
          ErrorCode::kCorrupt, ErrorSide::kSource,
          fmt::format("standard input at {}: the two top bits of a leaf are set; not Fr32", offset_bytes + last));
  }
  return {};
}

Status unpad_all() {
  std::vector<uint8_t> padded(kQuadsPerRead * kPaddedQuadBytes);
  std::vector<uint8_t> payload(kQuadsPerRead * kQuadBytes);
  for (uint64_t offset_bytes = 0;; offset_bytes += padded.size()) {
    PIECEWORK_ASSIGN(const size_t read_bytes, read_input(padded));
    PIECEWORK_TRY(check_fr32(ByteSpan(padded).first(read_bytes), offset_bytes));
    const size_t quad_count = read_bytes / kPaddedQuadBytes;
    kernels::fr32_unpad(payload.data(), padded.data(), quad_count);
    PIECEWORK_TRY(write_output(ByteSpan(payload).first(quad_count * kQuadBytes)));
    if (read_bytes < padded.size()) return {};
  }
}

Result<int> run_fr32(const Fr32Flags& flags) {
  PIECEWORK_TRY(flags.unpad ? unpad_all() : pad_all());
  return kExitDone;
}

}  // namespace

void add_fr32_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<Fr32Flags>();
  CLI::App* command = add_command(app, {.name = "fr32",
                                        .summary = "Fr32 bytes of standard input on standard output, and back",
                                        .example = "piecework fr32 < piece.car > piece.fr32"});
  command->add_flag("--unpad", flags->unpad, "From Fr32 bytes back to payload; needs a multiple of 128 bytes");
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_fr32(*flags); }; });
}

}  // namespace piecework::tools
