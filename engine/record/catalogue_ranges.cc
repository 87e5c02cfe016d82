// The part of the reader that finds where the bytes of a file stand; see catalogue_reader.h.
#include <algorithm>

#include "engine/record/catalogue_reader.h"

namespace piecework::engine {
namespace {

constexpr unsigned kDepthMax = 64;

// What of a range's sections holds bytes [begin, end) of the file: leaves of a run have equal lengths.
CatalogueRange clipped(CatalogueRange range, uint64_t begin, uint64_t end) {
  if (range.leaf_bytes == 0 || range.section_bytes == 0) return range;
  const uint64_t range_end = range.file_offset_bytes + range.file_bytes;
  if (begin > range.file_offset_bytes) {
    const uint64_t passed = (begin - range.file_offset_bytes) / range.leaf_bytes;
    range.car_offset_bytes += passed * range.section_bytes;
    range.car_bytes -= std::min(range.car_bytes, passed * range.section_bytes);
    range.file_offset_bytes += passed * range.leaf_bytes;
    range.file_bytes = range_end - range.file_offset_bytes;
  }
  if (end < range_end) {
    const uint64_t kept = (end - range.file_offset_bytes + range.leaf_bytes - 1) / range.leaf_bytes;
    if (kept * range.leaf_bytes < range.file_bytes) {
      range.file_bytes = kept * range.leaf_bytes;
      range.car_bytes = kept * range.section_bytes;
    }
  }
  return range;
}

bool meets(uint64_t offset, uint64_t length, uint64_t begin, uint64_t end) {
  return (offset < end && offset + length > begin) || (length == 0 && begin <= offset && offset <= end);
}

}  // namespace

Result<std::vector<CatalogueRange>> CatalogueReader::ranges_of(const CatalogueEntry& file, uint64_t begin,
                                                               uint64_t end) {
  std::vector<CatalogueRange> ranges;
  PIECEWORK_TRY(add_ranges(file, 0, begin, end, 0, ranges));
  return ranges;
}

// Ranges of `file`, whose first byte is byte `file_begin` of the file that was asked for.
Status CatalogueReader::add_ranges(const CatalogueEntry& file, uint64_t file_begin, uint64_t begin, uint64_t end,
                                   unsigned depth, std::vector<CatalogueRange>& ranges) {
  std::vector<CatalogueRange> own;
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT file_offset_bytes, file_bytes, car_offset_bytes, car_bytes, "
                                               "leaf_bytes, section_bytes FROM ranges WHERE content=? ORDER BY "
                                               "position"));
  find->bind(1, file.content_id);
  for (bool any = false;; any = true) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row && !any) {  // one section
      own.push_back({.piece_id = file.piece_id, .file_offset_bytes = file_begin, .file_bytes = file.size_bytes,
                     .car_offset_bytes = file.car_offset_bytes, .car_bytes = file.car_bytes,
                     .leaf_bytes = file.size_bytes, .section_bytes = file.car_bytes});
    }
    if (!row) break;
    CatalogueRange range{.piece_id = file.piece_id, .file_offset_bytes = file_begin + find->column_uint64(0)};
    range.file_bytes = find->column_uint64(1);
    range.car_offset_bytes = find->column_uint64(2);
    range.car_bytes = find->column_uint64(3);
    range.leaf_bytes = find->column_uint64(4);
    range.section_bytes = find->column_uint64(5);
    own.push_back(range);
  }
  PIECEWORK_ASSIGN(find, statement("SELECT file_offset_bytes, file_bytes, cid FROM externals WHERE content=? ORDER BY "
                                   "position"));
  find->bind(1, file.content_id);
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) break;
    CatalogueRange range{.file_offset_bytes = file_begin + find->column_uint64(0),
                         .file_bytes = find->column_uint64(1), .is_known = false};
    const Result<CidView> cid = decode_cid(find->column_blob(2));
    if (!cid) return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "the catalogue is damaged: " + cid.error().message);
    range.cid = Cid(*cid);
    own.push_back(std::move(range));
  }
  std::stable_sort(own.begin(), own.end(), [](const CatalogueRange& a, const CatalogueRange& b) {
    return a.file_offset_bytes < b.file_offset_bytes;
  });
  for (const CatalogueRange& range : own) {
    if (!meets(range.file_offset_bytes, range.file_bytes, begin, end)) continue;
    if (range.is_known) {
      ranges.push_back(clipped(range, begin, end));
      continue;
    }
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> places, contents_with(range.cid));
    if (places.empty() || depth == kDepthMax) {
      ranges.push_back(range);
      continue;
    }
    PIECEWORK_TRY(add_ranges(places.front(), range.file_offset_bytes, begin, end, depth + 1, ranges));
  }
  return {};
}

}  // namespace piecework::engine
