// A buffer that is refilled from the front and parsed as far as whole sections reach; see car_reader.h.
#include "io/car_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "kernels/base/check.h"
#include "kernels/base/endian.h"

namespace piecework::io {
namespace {

constexpr std::array<uint8_t, 11> kV2Pragma = {0x0a, 0xa1, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x02};
static_assert(kV2Pragma.size() + kCarV2HeaderBytes == kCarV2DataOffsetMin);
constexpr size_t kReadBytesMin = 64 * kKiB;

}  // namespace

std::string_view varint_fault(VarintStatus status) {
  switch (status) {
    case VarintStatus::kTruncated:
      return "ends inside the varint of its length";
    case VarintStatus::kTooLong:
      return "varint of its length takes more than 9 bytes";
    case VarintStatus::kNotMinimal:
      return "varint of its length is not minimal";
    case VarintStatus::kOk:
      break;
  }
  return "";
}

ReadFunction read_descriptor(int descriptor, std::string name, ErrorSide side) {
  // Advice only: a pipe refuses it and nothing is lost.
  static_cast<void>(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL));
  return [descriptor, name = std::move(name), side](MutableByteSpan target) -> Result<size_t> {
    for (;;) {
      const ssize_t read_bytes = ::read(descriptor, target.data(), target.size());
      if (read_bytes >= 0) return static_cast<size_t>(read_bytes);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail_errno(errno, side, fmt::format("reading {}", printable(name)));
      pollfd wait{descriptor, POLLIN, 0};  // a pipe that was opened without blocking
      if (::poll(&wait, 1, -1) < 0 && errno != EINTR) {
        return fail_errno(errno, side, fmt::format("waiting for {}", printable(name)));
      }
    }
  };
}

ReadFunction read_memory(ByteSpan bytes) {
  return [bytes](MutableByteSpan target) mutable -> Result<size_t> {
    const size_t read_bytes = std::min(bytes.size(), target.size());
    if (read_bytes > 0) std::memcpy(target.data(), bytes.data(), read_bytes);
    bytes = bytes.subspan(read_bytes);
    return read_bytes;
  };
}

CarReader::CarReader(ReadFunction read, std::string name, const CarReadOptions& options)
    : read_(std::move(read)), name_(std::move(name)), options_(options) {}

Result<CarReader> CarReader::open(ReadFunction read, std::string name, const CarReadOptions& options) {
  CarReader reader(std::move(read), std::move(name), options);
  PIECEWORK_TRY(reader.read_headers());
  return reader;
}

tl::unexpected<Error> CarReader::corrupt(uint64_t offset_bytes, std::string_view what) const {
  return fail(ErrorCode::kCorrupt, options_.side,
              fmt::format("{}: not a valid CAR at byte {}: {}", printable(name_), offset_bytes, what));
}

ByteSpan CarReader::payload_available() const {
  const uint64_t left_bytes = payload_end_bytes_ - offset_bytes();
  return available().first(static_cast<size_t>(std::min<uint64_t>(available_bytes(), left_bytes)));
}

// Reads until the buffer holds `capacity_bytes` or the source ends. The buffer grows as bytes arrive, so that a length
// that is merely declared costs nothing.
Status CarReader::fill(size_t capacity_bytes) {
  while (!source_ended_ && filled_bytes_ < capacity_bytes) {
    if (filled_bytes_ == buffer_.size()) {
      buffer_.resize(std::min(capacity_bytes, std::max(kReadBytesMin, 2 * buffer_.size())));
    }
    const MutableByteSpan room{buffer_.data() + filled_bytes_,
                               std::min(buffer_.size(), capacity_bytes) - filled_bytes_};
    PIECEWORK_ASSIGN(const size_t read_bytes, read_(room));
    source_ended_ = read_bytes == 0;
    filled_bytes_ += read_bytes;
  }
  return {};
}

// Makes `byte_count` bytes from the parse position on available. `what` names what they are.
Status CarReader::ensure(uint64_t byte_count, const char* what) {
  PIECEWORK_TRY(fill(parsed_bytes_ + static_cast<size_t>(byte_count)));
  if (payload_available().size() >= byte_count) return {};
  return corrupt(offset_bytes(), fmt::format("{} takes {} bytes, the file ends after {}", what, byte_count,
                                             payload_available().size()));
}

// Reads a length and the bytes it counts; the parse position is then behind the varint.
Result<uint64_t> CarReader::read_length(uint64_t length_max, const char* what) {
  PIECEWORK_TRY(fill(parsed_bytes_ + kVarintBytesMax));
  const DecodedVarint length = decode_varint(payload_available());
  if (length.status != VarintStatus::kOk)
    return corrupt(offset_bytes(), fmt::format("{}: {}", what, varint_fault(length.status)));
  if (length.value == 0) return corrupt(offset_bytes(), fmt::format("{} of 0 bytes", what));
  if (length.value > length_max) {
    return corrupt(offset_bytes(),
                   fmt::format("{} of {} bytes, at most {} are accepted", what, length.value, length_max));
  }
  parsed_bytes_ += length.length_bytes;
  PIECEWORK_TRY(ensure(length.value, what));
  return length.value;
}

Status CarReader::read_headers() {
  PIECEWORK_TRY(fill(kV2Pragma.size()));
  if (available_bytes() >= kV2Pragma.size() && std::ranges::equal(available().first(kV2Pragma.size()), kV2Pragma)) {
    PIECEWORK_TRY(read_v2_header());
  }
  header_offset_bytes_ = offset_bytes();
  PIECEWORK_ASSIGN(const uint64_t header_bytes, read_length(kCarHeaderBytesMax, "the header"));
  const ByteSpan header = available().first(static_cast<size_t>(header_bytes));
  header_.assign(header.begin(), header.end());
  parsed_bytes_ += header.size();
  return {};
}

Status CarReader::read_v2_header() {
  parsed_bytes_ += kV2Pragma.size();
  PIECEWORK_TRY(ensure(kCarV2HeaderBytes, "the CARv2 header"));
  const uint8_t* fields = available().data() + 16;  // behind the characteristics; the index offset is not used
  const auto data_offset_bytes = load_le<uint64_t>(fields);
  const auto data_bytes = load_le<uint64_t>(fields + 8);
  if (data_offset_bytes < kCarV2DataOffsetMin || data_offset_bytes > kCarV2DataOffsetMax) {
    return corrupt(offset_bytes() + 16, fmt::format("CARv2 data offset {}, expected {}..{}", data_offset_bytes,
                                                    kCarV2DataOffsetMin, kCarV2DataOffsetMax));
  }
  if (data_bytes > UINT64_MAX - data_offset_bytes) {
    return corrupt(offset_bytes() + 24, fmt::format("CARv2 data size {} passes 64 bits", data_bytes));
  }
  PIECEWORK_TRY(ensure(data_offset_bytes - offset_bytes(), "what precedes the CARv2 data"));
  parsed_bytes_ += static_cast<size_t>(data_offset_bytes - offset_bytes());
  payload_end_bytes_ = data_offset_bytes + data_bytes;
  is_v2_ = true;
  return {};
}

void CarReader::drop_consumed() {
  std::memmove(buffer_.data(), buffer_.data() + parsed_bytes_, available_bytes());
  buffer_offset_bytes_ += parsed_bytes_;
  filled_bytes_ -= parsed_bytes_;
  parsed_bytes_ = 0;
}

// Only zero bytes may follow the last section.
Result<CarReader::Step> CarReader::parse_tail() {
  const ByteSpan tail = payload_available();
  const auto nonzero = std::find_if(tail.begin(), tail.end(), [](uint8_t byte) { return byte != 0; });
  if (nonzero != tail.end()) {
    return corrupt(offset_bytes() + static_cast<uint64_t>(nonzero - tail.begin()),
                   "a byte other than 0 in the zero tail");
  }
  parsed_bytes_ += tail.size();
  return tail.empty() ? Step::kNeedMore : Step::kProgress;
}

Result<CarReader::Step> CarReader::parse_section() {
  const ByteSpan bytes = payload_available();
  if (bytes.empty()) return Step::kNeedMore;
  if (bytes[0] == 0 && options_.zero_tail) {
    in_zero_tail_ = true;
    return Step::kProgress;
  }
  const DecodedVarint length = decode_varint(bytes);
  const bool ends_inside = length.status == VarintStatus::kTruncated;
  if (ends_inside && !source_ended_ && bytes.size() == available_bytes()) {
    needed_bytes_ = available_bytes() + 1;
    return Step::kNeedMore;
  }
  if (length.status != VarintStatus::kOk) {
    return corrupt(offset_bytes(), fmt::format("a section: {}", varint_fault(length.status)));
  }
  if (length.value == 0) return corrupt(offset_bytes(), "a section of 0 bytes (zero padding? see --zero-tail)");
  if (length.value > kCarSectionBytesMax) {
    return corrupt(offset_bytes(),
                   fmt::format("a section of {} bytes, at most {} are accepted", length.value, kCarSectionBytesMax));
  }
  const uint64_t section_bytes = length.length_bytes + length.value;
  if (section_bytes > payload_end_bytes_ - offset_bytes()) {
    return corrupt(offset_bytes(), fmt::format("a section of {} bytes passes the end of the CARv2 data at byte {}",
                                               length.value, payload_end_bytes_));
  }
  if (section_bytes > available_bytes()) {
    needed_bytes_ = section_bytes;
    return Step::kNeedMore;
  }
  sections_.push_back({offset_bytes(), bytes.subspan(length.length_bytes, static_cast<size_t>(length.value))});
  parsed_bytes_ += static_cast<size_t>(section_bytes);
  return Step::kProgress;
}

// Parses what is in the buffer as far as it reaches.
Status CarReader::parse_available() {
  needed_bytes_ = 0;
  for (;;) {
    payload_ended_ = payload_ended_ || offset_bytes() == payload_end_bytes_;
    if (payload_ended_) {  // what follows a CARv2's data is an index or nothing, and not looked at
      parsed_bytes_ = filled_bytes_;
      return {};
    }
    PIECEWORK_ASSIGN(const Step step, in_zero_tail_ ? parse_tail() : parse_section());
    if (step == Step::kNeedMore) return {};
  }
}

Status CarReader::check_end() const {
  if (available_bytes() > 0) {
    return corrupt(offset_bytes(), fmt::format("a section of {} bytes (its length included), the file ends after {}",
                                               needed_bytes_, available_bytes()));
  }
  if (is_v2_ && !payload_ended_) {
    return corrupt(offset_bytes(), fmt::format("the file ends here, the CARv2 data at byte {}", payload_end_bytes_));
  }
  return {};
}

Result<CarBatch> CarReader::next_batch() {
  PIECEWORK_TRY(framing_);
  // The first batch still holds the headers' bytes, which nobody has seen as fresh bytes yet.
  if (delivered_offset_bytes_ > 0) drop_consumed();
  sections_.clear();
  size_t capacity_bytes = parsed_bytes_ + std::max(options_.batch_bytes, available_bytes() + 1);
  for (;;) {
    PIECEWORK_TRY(fill(capacity_bytes));
    framing_ = parse_available();
    if (!framing_ || source_ended_ || !sections_.empty() || available_bytes() == 0) break;
    // One section longer than the buffer: it was checked against the limit.
    capacity_bytes = parsed_bytes_ + static_cast<size_t>(std::max<uint64_t>(needed_bytes_, available_bytes() + 1));
  }
  if (framing_ && source_ended_) framing_ = check_end();
  if (!framing_ && sections_.empty()) return tl::unexpected<Error>(framing_.error());
  const uint64_t end_offset_bytes = buffer_offset_bytes_ + filled_bytes_;
  const size_t fresh_begin = static_cast<size_t>(delivered_offset_bytes_ - buffer_offset_bytes_);
  delivered_offset_bytes_ = end_offset_bytes;
  return CarBatch{sections_, ByteSpan(buffer_.data(), filled_bytes_).subspan(fresh_begin),
                  source_ended_ && framing_.has_value()};
}

}  // namespace piecework::io
