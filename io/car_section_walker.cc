#include "io/car_section_walker.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/check.h"

namespace piecework::io {
namespace {

constexpr size_t kPageBytes = 4 * kKiB;
constexpr size_t kWindowBytesMax = kMiB;
constexpr size_t kStreamBytesMin = 64 * kKiB;
// Over a smaller gap a disk reads on as fast as it would seek: 256 KiB, kubo's smaller chunk, is worth a jump.
constexpr uint64_t kJumpBytesMin = 128 * kKiB;
constexpr size_t kSectionProbeBytes = kVarintBytesMax + kCarSectionHeadBytes;
static_assert(kSectionProbeBytes < kPageBytes);

// What the largest window takes, of a small file all that there is.
size_t buffer_bytes(const CarSectionRange& range) {
  PIECEWORK_CHECK(range.begin_bytes <= range.end_bytes && range.begin_bytes <= range.file_bytes);
  return static_cast<size_t>(std::min<uint64_t>(range.file_bytes - range.begin_bytes, kWindowBytesMax + kPageBytes));
}

}  // namespace

CarSectionWalker::CarSectionWalker(const File& file, std::string name, const CarSectionRange& range)
    : file_(file),
      name_(std::move(name)),
      range_(range),
      offset_bytes_(range.begin_bytes),
      window_(std::make_unique_for_overwrite<uint8_t[]>(buffer_bytes(range))),
      window_offset_bytes_(range.begin_bytes) {}

tl::unexpected<Error> CarSectionWalker::corrupt(std::string_view what) const {
  return tl::unexpected<Error>(
      Error{ErrorCode::kCorrupt, ErrorSide::kSource, 0,
            fmt::format("{}: not a valid CAR at byte {}: {}", printable(name_), offset_bytes_, what), name_});
}

// At least `byte_count` bytes from `offset_bytes` on. A window behind a gap is a page or two; windows that follow each
// other grow, since the sections are small there. What the last window already had of a section's head is read again:
// that is a few hundred bytes.
Result<ByteSpan> CarSectionWalker::window_at(uint64_t offset_bytes, size_t byte_count) {
  PIECEWORK_DCHECK(offset_bytes + byte_count <= range_.file_bytes && byte_count <= kSectionProbeBytes);
  const uint64_t window_end_bytes = window_offset_bytes_ + window_bytes_;
  if (offset_bytes < window_offset_bytes_ || offset_bytes + byte_count > window_end_bytes) {
    const bool jumps = offset_bytes >= window_end_bytes + kJumpBytesMin;
    step_bytes_ = jumps ? byte_count : std::clamp(2 * step_bytes_, kStreamBytesMin, kWindowBytesMax - kPageBytes);
    const uint64_t end_bytes = std::min(range_.file_bytes, align_up(offset_bytes + step_bytes_, kPageBytes));
    const MutableByteSpan target(window_.get(), static_cast<size_t>(end_bytes - offset_bytes));
    PIECEWORK_ASSIGN(const size_t read_bytes, file_.read_full(target, offset_bytes));
    if (read_bytes < target.size()) {
      return tl::unexpected<Error>(Error{ErrorCode::kChanged, ErrorSide::kSource, 0,
                                         fmt::format("{}: ends at {} bytes, had {} when reading began",
                                                     printable(name_), offset_bytes + read_bytes, range_.file_bytes),
                                         name_});
    }
    window_offset_bytes_ = offset_bytes;
    window_bytes_ = read_bytes;
    read_bytes_ += read_bytes;
  }
  return ByteSpan(window_.get() + (offset_bytes - window_offset_bytes_), byte_count);
}

Result<std::optional<CarSectionHead>> CarSectionWalker::next() {
  if (offset_bytes_ == range_.end_bytes) return std::optional<CarSectionHead>();
  if (offset_bytes_ == range_.file_bytes) {
    return corrupt(fmt::format("the file ends here, the CARv2 data at byte {}", range_.end_bytes));
  }
  const uint64_t left_bytes = std::min(range_.end_bytes, range_.file_bytes) - offset_bytes_;
  const size_t probe_bytes = static_cast<size_t>(std::min<uint64_t>(left_bytes, kSectionProbeBytes));
  PIECEWORK_ASSIGN(const ByteSpan probe, window_at(offset_bytes_, probe_bytes));
  const DecodedVarint length = decode_varint(probe);
  if (length.status != VarintStatus::kOk) return corrupt(fmt::format("a section: {}", varint_fault(length.status)));
  if (length.value == 0) return corrupt("a section of 0 bytes (zero padding?)");
  if (length.value > kCarSectionBytesMax) {
    return corrupt(fmt::format("a section of {} bytes, at most {} are accepted", length.value, kCarSectionBytesMax));
  }
  if (length.value > range_.end_bytes - offset_bytes_ - length.length_bytes && range_.end_bytes < range_.file_bytes) {
    return corrupt(fmt::format("a section of {} bytes passes the end of the CARv2 data at byte {}", length.value,
                               range_.end_bytes));
  }
  if (length.value > left_bytes - length.length_bytes) {
    return corrupt(
        fmt::format("a section of {} bytes, the file ends after {}", length.value, left_bytes - length.length_bytes));
  }
  const ByteSpan rest = probe.subspan(length.length_bytes);
  const CarSectionHead section{
      .offset_bytes = offset_bytes_,
      .content_offset_bytes = offset_bytes_ + length.length_bytes,
      .content_bytes = length.value,
      .head = rest.first(static_cast<size_t>(std::min<uint64_t>({rest.size(), length.value, kCarSectionHeadBytes})))};
  offset_bytes_ += length.length_bytes + length.value;
  return section;
}

}  // namespace piecework::io
