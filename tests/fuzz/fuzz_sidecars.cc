// <piece>.nodes and <piece>.files.ndjson.zst of any bytes: refused, or every entry stands behind the one before, and a
// range gives just those of all entries that lie in it.
#include <algorithm>
#include <vector>

#include "engine/record/file_row.h"
#include "engine/record/nodes_reader.h"
#include "engine/record/sidecar_content.h"
#include "kernels/base/check.h"
#include "tests/fuzz/memory_file.h"

namespace piecework::engine {
namespace {

void check_nodes(const io::File& file) {
  Result<NodesReader> reader = NodesReader::open(file);
  if (!reader) return;
  std::vector<ByteRange> sections;
  uint64_t end_bytes = reader->first_section_bytes();
  const Status visited = reader->visit_all([&](const NodesEntry& entry) -> Status {
    PIECEWORK_CHECK(entry.car_offset_bytes == end_bytes);
    PIECEWORK_CHECK(entry.block_offset_bytes() >= entry.car_offset_bytes);
    PIECEWORK_CHECK(entry.kind != NodesEntryKind::kNode || entry.block.size() == entry.block_bytes);
    end_bytes = entry.car_end_bytes();
    sections.push_back({entry.car_offset_bytes, end_bytes});
    return {};
  });
  if (!visited || sections.empty()) return;
  const ByteRange wanted{sections[sections.size() / 3].begin + 1, sections[sections.size() / 2].end};
  std::vector<uint64_t> expected;
  for (const ByteRange& section : sections) {
    if (section.begin < wanted.end && section.end > wanted.begin) expected.push_back(section.begin);
  }
  std::vector<uint64_t> found;
  const Status again = reader->visit_range(wanted.begin, wanted.end, [&](const NodesEntry& entry) -> Status {
    found.push_back(entry.car_offset_bytes);
    return {};
  });
  PIECEWORK_CHECK(again.has_value());
  PIECEWORK_CHECK(found == expected);
}

void check_content(const io::File& file, bool has_index) {
  uint64_t content_bytes = 0;
  const Result<SidecarContent> content = read_sidecar_content(file, has_index, [&](ByteSpan frame) -> Status {
    content_bytes += frame.size();
    return visit_file_rows(frame, [](std::string_view, const std::optional<FileRow>&) -> Status { return {}; });
  });
  if (content) PIECEWORK_CHECK(content->content_bytes == content_bytes);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework::engine;
  const piecework::io::File file = piecework::memory_file({data, data_bytes}, "fuzz.nodes");
  check_nodes(file);
  check_content(file, true);
  check_content(file, false);
  return 0;
}
