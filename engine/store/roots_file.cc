// Lists of roots in text, one CID a line. Declared in kubo_pins.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/codec/multibase.h"
#include "engine/store/kubo_pins.h"
#include "io/file.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kBufferBytes = 64 * kKiB;
constexpr size_t kLineBytesMax = 4 * kKiB;  // comments too
static_assert(kLineBytesMax > kMultibaseTextBytesMax && kLineBytesMax < kBufferBytes);

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = line.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kSpace) - begin + 1);
}

// The lines of a regular file through one buffer.
class LineReader {
 public:
  explicit LineReader(const io::File& file) : file_(file), buffer_(kBufferBytes) {}

  uint64_t line_number() const { return line_number_; }

  // False at the end. `line` is without its newline and valid until the next call.
  Result<bool> next(std::string_view& line) {
    ++line_number_;
    for (;;) {
      const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
      const size_t newline = rest.find('\n');
      if (newline != std::string_view::npos || (at_end_ && !rest.empty())) {
        line = rest.substr(0, newline);
        begin_ += std::min(rest.size(), line.size() + 1);
        return true;
      }
      if (at_end_) return false;
      if (rest.size() > kLineBytesMax) return invalid(fmt::format("longer than {} bytes", kLineBytesMax));
      PIECEWORK_TRY(fill());
    }
  }

  tl::unexpected<Error> invalid(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' line {}: {}", printable(file_.path()), line_number_, what));
  }

 private:
  Status fill() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const MutableByteSpan target(reinterpret_cast<uint8_t*>(buffer_.data()) + end_, buffer_.size() - end_);
    PIECEWORK_ASSIGN(const size_t read_bytes, file_.read_full(target, offset_bytes_));
    at_end_ = read_bytes < target.size();
    offset_bytes_ += read_bytes;
    end_ += read_bytes;
    return {};
  }

  const io::File& file_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t offset_bytes_ = 0;
  uint64_t line_number_ = 0;
  bool at_end_ = false;
};

}  // namespace

Status visit_roots_file(const std::string& path, const RootLineVisitor& visit) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kConfig));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular()) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}': a list of roots must be a regular file", printable(path)));
  }
  LineReader reader(file);
  std::string_view line;
  for (;;) {
    PIECEWORK_ASSIGN(const bool has_line, reader.next(line));
    if (!has_line) return {};
    const std::string_view text = trimmed(line);
    if (text.empty() || text.front() == '#') continue;
    const Result<Cid> cid = parse_cid(text);
    if (!cid) return reader.invalid(fmt::format("expected a CID: {}", cid.error().message));
    PIECEWORK_TRY(visit(*cid, reader.line_number()));
  }
}

}  // namespace piecework::engine
