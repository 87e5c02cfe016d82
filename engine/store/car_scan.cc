#include "engine/store/car_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "io/car_section_walker.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// The head of a section holds any CID, and the whole of an identity section whose data can be right.
static_assert(io::kCarSectionHeadBytes >= kCidBytesMax + kMultihashDigestBytesMax);
static_assert(kStoreBlockBytesMax == io::kCarBlockBytesMax);

// Reads by offset, so that the place of the descriptor does not matter.
io::ReadFunction read_at_offsets(const io::File& file) {
  return [&file, offset_bytes = uint64_t{0}](MutableByteSpan target) mutable -> Result<size_t> {
    PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(target, offset_bytes));
    offset_bytes += read_bytes;
    return read_bytes;
  };
}

struct CarHead {
  std::vector<Cid> roots;
  io::CarSectionRange sections;
};

Result<CarHead> read_head(const io::File& file, const std::string& name, const io::FileStamp& stamp) {
  Result<io::CarReader> reader = io::CarReader::open(read_at_offsets(file), name, {});
  if (!reader) {
    if (reader.error().code == ErrorCode::kCorrupt) reader.error().path = name;
    return tl::unexpected<Error>(std::move(reader).error());
  }
  const uint64_t header_bytes = reader->header().size();
  const uint64_t offset_bytes = reader->header_offset_bytes();
  if (header_bytes > kScannedCarHeaderBytesMax) {
    return bad_car(name, offset_bytes,
                   fmt::format("a header of {} bytes, at most {} are accepted from a store", header_bytes,
                               kScannedCarHeaderBytesMax),
                   ErrorCode::kUnsupported);
  }
  const Result<CarHeader> header = decode_car_v1_header(reader->header());
  if (!header) return bad_car(name, offset_bytes, "its header: " + header.error().message);
  CarHead head;
  head.roots.reserve(header->roots.size());
  for (const CidView& root : header->roots) head.roots.emplace_back(root);
  head.sections.begin_bytes = offset_bytes + varint_bytes(header_bytes) + header_bytes;
  head.sections.file_bytes = stamp.size_bytes;
  head.sections.end_bytes = reader->is_v2() ? reader->payload_end_bytes() : stamp.size_bytes;
  if (head.sections.begin_bytes > stamp.size_bytes) {
    return tl::unexpected<Error>(Error{ErrorCode::kChanged, ErrorSide::kSource, 0,
                                       fmt::format("'{}' grew while it was read", printable(name)), name});
  }
  return head;
}

// The data of a section whose CID holds the data itself.
Status check_identity(const CidView& cid, const io::CarSectionHead& section) {
  if (section.content_bytes > section.head.size()) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("identity CID {} with other data of {} bytes", cid_text(cid.bytes),
                            section.content_bytes - cid.bytes.size()));
  }
  return check_block_digest(cid, section.head.subspan(cid.bytes.size()));
}

// What is wrong with the section's CID or data's length, apart from the digest.
Status check_section(const CidView& cid, const io::CarSectionHead& section) {
  if (cid.is_identity()) return check_identity(cid, section);
  const uint64_t data_bytes = section.content_bytes - cid.bytes.size();
  if (data_bytes > io::kCarBlockBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("a block of {} bytes, at most {} are accepted", data_bytes, io::kCarBlockBytesMax));
  }
  if (cid.is_sha256()) return {};
  // A block that cannot be checked would stop a pack that ran for days: it is refused now. No bytes are enough to ask.
  Status checkable = check_block_digest(cid, {});
  return !checkable && checkable.error().code == ErrorCode::kUnsupported ? checkable : Status();
}

Status check_stop(const std::string& name, const std::atomic<bool>* stop) {
  if (stop == nullptr || !stop->load(std::memory_order_relaxed)) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal, fmt::format("stopped while reading '{}'", printable(name)));
}

void count_large(const io::CarSectionHead& section, uint64_t data_bytes, CarScanFacts& facts) {
  if (data_bytes <= io::kCarUsualSectionBytesMax) return;
  if (facts.large_block_count++ > 0) return;
  facts.large_block_offset_bytes = section.offset_bytes;
  facts.large_block_bytes = data_bytes;
}

}  // namespace

tl::unexpected<Error> bad_car(const std::string& name, uint64_t offset_bytes, std::string_view what, ErrorCode code) {
  return tl::unexpected<Error>(
      Error{code, ErrorSide::kSource, 0,
            fmt::format("{}: not a valid CAR at byte {}: {}", printable(name), offset_bytes, what), name});
}

Result<CarScanFacts> scan_car(const io::File& file, const std::string& name, const io::FileStamp& stamp,
                              const CarScanOptions& options, const BlockVisitor& visit) {
  PIECEWORK_ASSIGN(CarHead head, read_head(file, name, stamp));
  CarScanFacts facts;
  facts.roots = std::move(head.roots);
  io::CarSectionWalker walker(file, name, head.sections);
  uint64_t reported_bytes = 0;
  const auto report = [&](uint64_t reached_bytes) {
    if (options.scanned_bytes == nullptr) return;
    options.scanned_bytes->fetch_add(reached_bytes - reported_bytes, std::memory_order_relaxed);
    reported_bytes = reached_bytes;
  };
  for (;;) {
    PIECEWORK_TRY(check_stop(name, options.stop));
    PIECEWORK_ASSIGN(const std::optional<io::CarSectionHead> section, walker.next());
    if (!section) break;
    const Result<CidView> cid = decode_cid_prefix(section->head);
    if (!cid) return bad_car(name, section->content_offset_bytes, cid.error().message);
    if (const Status valid = check_section(*cid, *section); !valid) {
      return bad_car(name, section->offset_bytes, valid.error().message, valid.error().code);
    }
    const uint64_t data_bytes = section->content_bytes - cid->bytes.size();
    ++facts.section_count;
    report(walker.offset_bytes());
    if (cid->is_identity()) continue;
    count_large(*section, data_bytes, facts);
    PIECEWORK_TRY(visit(*cid, {options.file_index, section->content_offset_bytes + cid->bytes.size(), data_bytes}));
  }
  facts.read_bytes = walker.read_bytes();
  report(stamp.size_bytes);
  return facts;
}

}  // namespace piecework::engine
