#include "engine/plan/scan_sources.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

#include "engine/plan/listing_ahead.h"
#include "io/dir_reader.h"

namespace piecework::engine {
namespace {

using Clock = std::chrono::steady_clock;

// Descriptors of directories above this distance from the deepest one are closed and opened again when needed.
constexpr size_t kOpenDirectoriesMax = 128;
constexpr size_t kSymlinkTargetBytesMax = 64 * 1024;

// A directory being walked.
struct Level {
  ListedDirectory listed;  // without `directory` where that was closed, see kOpenDirectoriesMax
  size_t next_entry = 0;   // the one after that at hand
  EntryIndex index = 0;
  size_t path_bytes = 0;    // of tree_path_ up to this directory
  size_t source_bytes = 0;  // of source_path_
};

class Walker {
 public:
  Walker(const SourceSet& sources, const ScanOptions& options)
      : sources_(sources),
        options_(options),
        may_read_everything_(geteuid() == 0),
        inventory_(options.pages),
        ahead_(options.thread_count, options.include_hidden) {}

  Result<Inventory> run() {
    inventory_.sources = sources_.sources();
    inventory_.root_joins_sources = sources_.joined();
    if (!sources_.joined()) {
      PIECEWORK_TRY(walk_source(0, {}));
      return std::move(inventory_);
    }
    // The root's children stand in name order, as in every directory.
    std::vector<size_t> order(sources_.sources().size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return sources_.sources()[a].name < sources_.sources()[b].name; });
    const EntryIndex root = inventory_.open_directory({});
    for (const size_t source : order) PIECEWORK_TRY(walk_source(source, sources_.sources()[source].name));
    inventory_.close_directory(root);
    return std::move(inventory_);
  }

 private:
  Status walk_source(size_t source, std::string_view name) {
    source_ = source;
    tree_path_ = name;
    source_path_.clear();
    const io::File& directory = sources_.directory(source);
    if (sources_.sources()[source].kind != SourceKind::kDirectory) {
      const SourcePlace place = sources_.place(tree_path_);
      PIECEWORK_ASSIGN(const io::File file, io::open_beneath(directory, place.path));
      PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
      return add_file(name, stamp);
    }
    PIECEWORK_TRY(enter(name));
    while (!levels_.empty()) {
      if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
        return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while walking the sources");
      }
      PIECEWORK_TRY(step());
    }
    return {};
  }

  // Opens the directory that tree_path_ and source_path_ name and reads its list.
  Status enter(std::string_view name) {
    Level level;
    level.path_bytes = tree_path_.size();
    level.source_bytes = source_path_.size();
    const Clock::time_point begin = Clock::now();
    std::optional<ListedDirectory> read_ahead;
    if (!levels_.empty()) read_ahead = ahead_.take(levels_.back().listed, levels_.back().next_entry - 1);
    if (read_ahead) {
      level.listed = std::move(*read_ahead);
    } else {
      const Status opened = open_level(level);
      if (!opened) return skip_or_fail(opened.error());
    }
    PIECEWORK_ASSIGN(const io::FileStamp stamp, level.listed.directory->stamp());
    if (is_excluded(stamp)) {
      if (levels_.empty()) {
        const std::string path = printable(level.listed.directory->path());
        return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                    fmt::format("source '{}' is the output directory itself", path));
      }
      return skip("output directory");
    }
    if (!read_ahead) {
      auto listing = io::read_directory(*level.listed.directory, options_.thread_count);
      if (!listing) return skip_or_fail(listing.error());
      level.listed.listing = std::move(*listing);
    }
    ahead_.note_wait(Clock::now() - begin, level.listed.listing.entry_count());
    level.index = inventory_.open_directory(name);
    if (levels_.size() >= kOpenDirectoriesMax) levels_[levels_.size() - kOpenDirectoriesMax].listed.directory.reset();
    levels_.push_back(std::move(level));
    return {};
  }

  bool is_excluded(const io::FileStamp& stamp) const {
    const std::pair<uint64_t, uint64_t> identity{stamp.device, stamp.inode};
    const auto& excluded = options_.excluded_directories;
    return std::find(excluded.begin(), excluded.end(), identity) != excluded.end();
  }

  // Beneath the parent where that is open, else from the source's directory.
  Status open_level(Level& level) {
    if (!levels_.empty()) level.listed.place = place_below(levels_.back().listed, levels_.back().next_entry - 1);
    const bool parent_open = !levels_.empty() && levels_.back().listed.directory != nullptr;
    const io::File& base = parent_open ? *levels_.back().listed.directory : sources_.directory(source_);
    const size_t skip_bytes = parent_open ? levels_.back().source_bytes : 0;
    std::string_view below = std::string_view(source_path_).substr(0, level.source_bytes).substr(skip_bytes);
    if (!below.empty() && below.front() == '/') below.remove_prefix(1);
    PIECEWORK_ASSIGN(io::File directory, io::open_beneath(base, below.empty() ? "." : below, io::kOpenDirectory));
    level.listed.directory = std::make_shared<const io::File>(std::move(directory));
    return {};
  }

  Status step() {
    Level& level = levels_.back();
    if (level.next_entry == level.listed.listing.entry_count()) {
      inventory_.close_directory(level.index);
      levels_.pop_back();
      PIECEWORK_TRY(inventory_.status());
      if (!levels_.empty()) {
        tree_path_.resize(levels_.back().path_bytes);
        source_path_.resize(levels_.back().source_bytes);
      }
      return {};
    }
    const io::DirectoryEntry entry = level.listed.listing.entry(level.next_entry++);
    tree_path_.resize(level.path_bytes);
    source_path_.resize(level.source_bytes);
    append_component(tree_path_, entry.name);
    append_component(source_path_, entry.name);
    if (!options_.include_hidden && entry.name.front() == '.') return {};
    if (const SkippedItem* item = excluded_item()) {
      return skip(item->reason);
    }
    if (options_.entries_seen != nullptr) options_.entries_seen->fetch_add(1, std::memory_order_relaxed);
    return add_entry(entry);
  }

  Status add_entry(const io::DirectoryEntry& entry) {
    if (entry.sys_errno != 0) {
      return skip_or_fail(errno_error(entry.sys_errno, ErrorSide::kSource, fmt::format("examining '{}'", here())));
    }
    if (entry.name.size() > 255) {
      return skip_or_fail({ErrorCode::kUnsupported,
                           ErrorSide::kSource,
                           0,
                           fmt::format("'{}': the name is longer than 255 bytes", here()),
                           {}});
    }
    if (inventory_.entry_count() >= kEntryCountMax) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  "more than four thousand million entries: plan the sources in parts");
    }
    switch (entry.kind) {
      case io::EntryKind::kRegular:
        if (!may_read_everything_ && !readable(entry)) {
          return skip_or_fail(errno_error(EACCES, ErrorSide::kSource, fmt::format("reading '{}'", here())));
        }
        return add_file(entry.name, entry.stamp);
      case io::EntryKind::kDirectory:
        return enter(entry.name);
      case io::EntryKind::kSymlink:
        if (entry.link_target.size() > kSymlinkTargetBytesMax) {
          return skip_or_fail({ErrorCode::kUnsupported,
                               ErrorSide::kSource,
                               0,
                               fmt::format("'{}': the symlink's target has {} bytes", here(), entry.link_target.size()),
                               {}});
        }
        inventory_.add_symlink(entry.name, entry.link_target);
        return {};
      case io::EntryKind::kFifo:
        return skip("fifo");
      case io::EntryKind::kSocket:
        return skip("socket");
      case io::EntryKind::kCharDevice:
      case io::EntryKind::kBlockDevice:
        return skip("device");
      case io::EntryKind::kUnknown:
        break;
    }
    return skip("unknown kind of file");
  }

  Status add_file(std::string_view name, const io::FileStamp& stamp) {
    if (stamp.size_bytes > FileShape::kFileBytesMax) {
      return skip_or_fail({ErrorCode::kInvalidArgument,
                           ErrorSide::kConfig,
                           0,
                           fmt::format("'{}' has {} bytes; at most {} bytes of one file can be packed: leave it out",
                                       here(), stamp.size_bytes, FileShape::kFileBytesMax),
                           {}});
    }
    inventory_.add_file(name, stamp.size_bytes, stamp.mtime_ns);
    return {};
  }

  bool readable(const io::DirectoryEntry& entry) const {
    const Level& level = levels_.back();
    if (level.listed.directory == nullptr) return true;  // found out when it is opened
    const std::string name(entry.name);
    return faccessat(level.listed.directory->fd(), name.c_str(), R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0 ||
           errno != EACCES;
  }

  static void append_component(std::string& path, std::string_view name) {
    if (!path.empty()) path += '/';
    path += name;
  }

  std::string here() const { return sources_.describe(tree_path_); }

  const SkippedItem* excluded_item() const {
    const auto& items = options_.excluded_items;
    const auto position =
        std::lower_bound(items.begin(), items.end(), tree_path_,
                         [](const SkippedItem& item, const std::string& path) { return item.path < path; });
    return position != items.end() && position->path == tree_path_ ? &*position : nullptr;
  }

  Status skip(std::string reason) {
    inventory_.skipped.push_back({tree_path_, std::move(reason), inventory_.entry_count(), 0});
    return {};
  }

  Status skip_or_fail(Error error) {
    error.path = tree_path_;
    const bool may_skip = options_.on_error == SourceErrorPolicy::kSkip && !tree_path_.empty() &&
                          error.code != ErrorCode::kResourceExhausted;
    return may_skip ? skip(error.message) : Status(tl::unexpected<Error>(std::move(error)));
  }

  const SourceSet& sources_;
  const ScanOptions& options_;
  const bool may_read_everything_;
  Inventory inventory_;
  size_t source_ = 0;
  ListingAhead ahead_;
  std::vector<Level> levels_;
  std::string tree_path_;    // of the entry at hand, in the packed tree
  std::string source_path_;  // the same below the source's directory
};

}  // namespace

Result<Inventory> scan_sources(const SourceSet& sources, const ScanOptions& options) {
  return Walker(sources, options).run();
}

}  // namespace piecework::engine
