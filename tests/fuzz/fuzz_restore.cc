// Trees in CARs of any bytes: measuring, walking and restoring come to an end inside their limits, a file that can be
// read has the size its node says, and a range of it is that part of the whole.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/restore/file_reader.h"
#include "engine/restore/restore_tree.h"
#include "engine/restore/tree_walk.h"
#include "kernels/base/check.h"
#include "tests/fuzz/memory_file.h"

namespace piecework::engine {
namespace {

constexpr RestoreLimits kLimits{.entry_count_max = 300, .content_bytes_max = 128 * kKiB, .depth_max = 50};
constexpr uint64_t kReadBytesMax = 64 * kKiB;

// The bytes of a range, or none where they cannot be had.
std::optional<std::string> read_range(BlockReader& reader, const CidView& cid, uint64_t begin_bytes,
                                      uint64_t end_bytes) {
  auto opened = open_entry(reader, cid);
  if (!opened) return std::nullopt;
  FileReader file(reader, cid, opened->place, std::move(opened->node), begin_bytes, end_bytes);
  std::string content;
  std::vector<uint8_t> buffer;
  for (;;) {
    const Result<std::optional<FileChunk>> chunk = file.next();
    if (!chunk) return std::nullopt;
    if (!*chunk) return content;
    ByteSpan wanted;
    if (!read_chunk(reader, **chunk, buffer, wanted)) return std::nullopt;
    content.append(as_text(wanted));
  }
}

class Visitor : public TreeVisitor {
 public:
  explicit Visitor(BlockReader& reader) : reader_(reader) {}

  Result<bool> enter(const TreeEntry& directory, const NodeCursor&) override {
    PIECEWORK_CHECK(directory.depth <= kLimits.depth_max);
    ++depth_;
    return count(directory);
  }
  Status leave() override {
    PIECEWORK_CHECK(depth_-- > 0);
    return {};
  }
  Status file(const TreeEntry& entry, std::unique_ptr<NodeCursor>) override {
    if (entry.size_bytes > kReadBytesMax || !count(entry)) return {};
    const std::optional<std::string> whole = read_range(reader_, entry.cid, 0, entry.size_bytes);
    if (!whole) return {};
    PIECEWORK_CHECK(whole->size() == entry.size_bytes);
    const size_t begin = whole->size() / 3;
    const size_t end = whole->size() - whole->size() / 4;
    PIECEWORK_CHECK(read_range(reader_, entry.cid, begin, end) == whole->substr(begin, end - begin));
    return {};
  }
  Status symlink(const TreeEntry& entry) override {
    PIECEWORK_CHECK(entry.link_target.size() == entry.size_bytes);
    return {};
  }
  Status other(const TreeEntry&) override { return {}; }
  Status fault(VerifyFinding) override { return {}; }

 private:
  // False past the limit: a small DAG may stand for any number of entries.
  bool count(const TreeEntry& entry) {
    PIECEWORK_CHECK(entry.path.size() >= entry.name.size());
    return ++count_ < kLimits.entry_count_max;
  }

  BlockReader& reader_;
  uint64_t count_ = 0;
  size_t depth_ = 0;
};

void check_root(CarStore& store, const Cid& root) {
  BlockReader reader(store);
  const Result<TreeMeasure> measure = measure_tree(reader, root, kLimits, nullptr);
  const Result<RestoreReport> report = restore_trees(reader, {.roots = {root}, .limits = kLimits}, nullptr);
  if (!measure) {
    PIECEWORK_CHECK(!report.has_value());  // before anything is written
    return;
  }
  PIECEWORK_CHECK(measure->entry_count <= kLimits.entry_count_max);
  PIECEWORK_CHECK(measure->content_bytes <= kLimits.content_bytes_max);
  if (report) {
    PIECEWORK_CHECK(report->file_count + report->directory_count + report->symlink_count <= measure->entry_count);
    PIECEWORK_CHECK(report->content_bytes <= measure->content_bytes);
  }
  Visitor visitor(reader);
  PIECEWORK_CHECK(walk_tree(reader, root, {}, {.depth_max = kLimits.depth_max}, visitor).has_value());
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  std::vector<engine::CarInput> inputs;
  inputs.push_back({"fuzz.car", memory_file({data, data_bytes}, "fuzz.car")});
  const auto store = engine::CarStore::open(std::move(inputs),
                                            {.scratch_directory = "/dev/shm", .index_memory_bytes = 16 * kKiB});
  if (!store) return 0;
  size_t checked = 0;
  for (const engine::Cid& root : (*store)->roots()) {
    if (++checked > 4) break;
    engine::check_root(**store, root);
  }
  return 0;
}
