#include "engine/plan/split_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/layout/file_walk.h"
#include "engine/layout/node_lengths.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kPartNameBytes = 20;
// A part that has less left than this is full: going below a subtree for so little would only make an upper node of it.
constexpr uint64_t kFullOneIn = 1000;
// The section of a directory with one link, whose name has at most 255 bytes; the header of a CAR.
constexpr uint64_t kOneLinkBytesMax = 512;
constexpr uint64_t kHeaderBytesMax = 128;

// Cuts the file of one shape.
class FileCutter {
 public:
  // A part's sections and its directory's links come to at most `part_bytes_max`, a link to at most `link_bytes`.
  FileCutter(const FileShape& shape, const Profile& profile, uint64_t part_bytes_max, uint64_t link_bytes)
      : shape_(shape), profile_(profile), part_bytes_max_(part_bytes_max), link_bytes_(link_bytes) {}

  // The subtrees in order; none where a leaf does not fit a part.
  std::vector<FileNodePlace> run() {
    std::vector<FileNodePlace> nodes;
    FileWalk walk(shape_, profile_.max_links);
    FileNodePlace place;
    walk.next(place);  // the root, an upper node: the whole is too large
    while (walk.next(place)) {
      if (takes(place)) {
        nodes.push_back(place);
        if (place.level > 0) walk.skip_children();
      } else if (place.level == 0) {
        return {};
      }
    }
    return nodes;
  }

 private:
  bool takes(const FileNodePlace& place) {
    const uint64_t bytes = shape_.subtree(place, profile_).sections_bytes + link_bytes_;
    const uint64_t left_bytes = part_bytes_max_ - part_bytes_;
    if (bytes > left_bytes && (place.level == 0 || left_bytes < part_bytes_max_ / kFullOneIn)) part_bytes_ = 0;
    if (bytes > part_bytes_max_ - part_bytes_) return false;
    part_bytes_ += bytes;
    return true;
  }

  const FileShape& shape_;
  const Profile& profile_;
  const uint64_t part_bytes_max_;
  const uint64_t link_bytes_;
  uint64_t part_bytes_ = 0;  // of the part at hand
};

class FileSplitter {
 public:
  FileSplitter(const Inventory& inventory, const PlanOptions& options) : inventory_(inventory), options_(options) {}

  bool is_too_large(EntryIndex entry) {
    if (inventory_[entry].kind != EntryKind::kFile) return false;
    const uint64_t bytes = FileShape(inventory_[entry].content_bytes, options_.profile).sections_bytes();
    if (bytes > options_.payload_bytes_max) return true;
    if (bytes + above_bytes_max(entry) <= options_.payload_bytes_max) return false;
    const Result<uint64_t> exact = bytes_alone(entry, entry + 1);
    return exact && *exact > options_.payload_bytes_max;
  }

  Result<SplitInventory> run() {
    SplitInventory split;
    Status status;
    split.inventory = inventory_.copy([&](EntryIndex entry, Inventory& copy) {
      if (!status || !is_too_large(entry)) return false;
      status = add_parts(entry, copy);
      split.files.push_back({copy.parent(copy.entry_count() - 1), inventory_[entry].content_bytes,
                             inventory_[entry].mtime_ns});
      return true;
    });
    if (!status) return tl::unexpected<Error>(std::move(status).error());
    return split;
  }

 private:
  // What the CAR of one file has beside the file's sections: at most.
  uint64_t above_bytes_max(EntryIndex entry) const {
    uint64_t bytes = kHeaderBytesMax;
    for (EntryIndex at = entry; at != 0; at = inventory_.parent(at)) bytes += kOneLinkBytesMax;
    return bytes;
  }

  // The CAR of one file and the directories above it.
  Result<uint64_t> bytes_alone(EntryIndex begin, EntryIndex end) {
    ContentClasses classes(Dedup::kNone);
    PIECEWORK_ASSIGN(BatchLayout layout,
                     BatchLayout::compute(inventory_, classes, options_.profile, {{begin, end}}));
    return layout.emit(nullptr).car_bytes;
  }

  // A directory of the file's parts in its place.
  Status add_parts(EntryIndex entry, Inventory& copy) {
    const EntryIndex directory = copy.open_directory(inventory_.name(entry));
    Status status = fill_directory(entry, copy);
    copy.close_directory(directory);
    return status;
  }

  Status fill_directory(EntryIndex entry, Inventory& copy) {
    const Entry& file = inventory_[entry];
    const FileShape shape(file.content_bytes, options_.profile);
    // The directories above a part are at most those above the file, one more, and shards of that one.
    PIECEWORK_ASSIGN(const uint64_t whole_bytes, bytes_alone(entry, entry + 1));
    constexpr uint64_t kPartDirectoryBytes = 256;
    constexpr uint64_t kShardShareBytes = 64;  // of a link: there are at most 0.3 of some 150 bytes for each
    const uint64_t above_bytes = whole_bytes - shape.sections_bytes() + kPartDirectoryBytes;
    const uint64_t link_bytes =
        pb_link_bytes(options_.profile.leaf_cid_bytes(), kPartNameBytes + 2, UINT64_MAX) + kShardShareBytes;
    const uint64_t capacity_bytes = options_.payload_bytes_max;
    const uint64_t part_bytes_max = capacity_bytes - std::min(capacity_bytes, above_bytes);
    const std::vector<FileNodePlace> nodes = FileCutter(shape, options_.profile, part_bytes_max, link_bytes).run();
    if (nodes.empty()) return too_large(entry);
    uint64_t first_byte = 0;
    for (const FileNodePlace& place : nodes) {
      const uint64_t part_bytes = shape.node(place.level, place.index).file_bytes;
      copy.add_file_part(fmt::format("{:0{}}", first_byte, kPartNameBytes), part_bytes, file.mtime_ns,
                         {file.content_bytes, place});
      first_byte += part_bytes;
    }
    return {};
  }

  tl::unexpected<Error> too_large(EntryIndex entry) const {
    return fail(
        ErrorCode::kInvalidArgument, ErrorSide::kConfig,
        fmt::format("a block of '{}' ({} bytes) with its directories does not fit a piece of {}: choose a larger "
                    "--piece-size",
                    printable(inventory_.path(entry)), inventory_[entry].content_bytes, options_.piece_size_text));
  }

  const Inventory& inventory_;
  const PlanOptions& options_;
};

}  // namespace

Result<SplitInventory> split_large_files(Inventory inventory, const PlanOptions& options) {
  FileSplitter splitter(inventory, options);
  for (EntryIndex entry = 0; entry < inventory.entry_count(); ++entry) {
    if (splitter.is_too_large(entry)) return splitter.run();
  }
  return SplitInventory{std::move(inventory), {}};
}

BatchParts parts_in(const Inventory& inventory, const EntryRanges& batch) {
  BatchParts parts;
  for (const EntryRange& range : batch) {
    for (EntryIndex entry = range.begin; entry < range.end; ++entry) {
      if (inventory[entry].kind != EntryKind::kFilePart) continue;
      parts.push_back({inventory.path(entry), inventory.path(inventory.parent(entry)), {}});
    }
  }
  return parts;
}

FileJoin join_of(const SplitInventory& split, const SplitFile& file) {
  const Inventory& inventory = split.inventory;
  FileJoin join;
  join.path = inventory.path(file.directory);
  std::vector<EntryIndex> above;  // the innermost first
  for (EntryIndex at = file.directory; at != 0;) above.push_back(at = inventory.parent(at));
  std::vector<EntryIndex> open;
  for (size_t i = above.size(); i-- > 0;) {
    open.push_back(join.inventory.open_directory(inventory.name(above[i])));
  }
  join.inventory.add_file(inventory.name(file.directory), file.file_bytes, file.mtime_ns);
  for (; !open.empty(); open.pop_back()) join.inventory.close_directory(open.back());
  for (EntryIndex entry = file.directory + 1; entry < inventory[file.directory].subtree_end; ++entry) {
    join.external_nodes.push_back(inventory.file_part(entry).place);
  }
  return join;
}

}  // namespace piecework::engine
