#include "engine/plan/file_pass.h"

#include <fmt/format.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "engine/task_order.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kReadBytes = 4 * kMiB;
constexpr size_t kFilesPerRound = 512;

// Reads a round of files in parallel.
class RoundReader {
 public:
  RoundReader(const Inventory& inventory, const SourceSet& sources, unsigned thread_count,
              const std::atomic<bool>* stop, const FilePass::ReadFile& read)
      : inventory_(inventory),
        sources_(sources),
        stop_(stop),
        read_(read),
        arena_(static_cast<int>(thread_count)) {}

  Status read(const std::vector<FileToRead>& round) {
    std::mutex mutex;
    std::optional<std::pair<size_t, Error>> first;  // the error of the earliest file, whatever the timing
    const TaskOrder order(arena_);
    const auto read_file = order.parallel([&](size_t i) {
      if (is_stopped()) return;
      Status status = read_one(round[i]);
      if (status) return;
      const std::lock_guard lock(mutex);
      if (!first || i < first->first) first.emplace(i, std::move(status).error());
    });
    arena_.execute([&] { tbb::parallel_for(size_t{0}, round.size(), read_file); });
    order.join();
    if (first) return tl::unexpected<Error>(std::move(first->second));
    if (!is_stopped()) return {};
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while reading files for the plan");
  }

 private:
  bool is_stopped() const { return stop_ != nullptr && stop_->load(std::memory_order_relaxed); }

  Status read_one(const FileToRead& file) {
    const SourcePlace place = sources_.place(file.path);
    const auto with_path = [&](Error error) {
      error.path = file.path;
      return tl::unexpected<Error>(std::move(error));
    };
    auto opened = io::open_beneath(*place.directory, place.path);
    if (!opened) return with_path(std::move(opened).error());
    auto before = opened->stamp();
    if (!before) return with_path(std::move(before).error());
    const Entry& entry = inventory_[file.entry];
    if (!before->is_regular() || before->size_bytes != entry.content_bytes || before->mtime_ns != entry.mtime_ns) {
      return with_path(changed(file));
    }
    if (Status status = read_(file, *opened); !status) return with_path(std::move(status).error());
    auto after = opened->stamp();
    if (!after) return with_path(std::move(after).error());
    if (*after != *before) return with_path(changed(file));
    return {};
  }

  Error changed(const FileToRead& file) const {
    return {
        ErrorCode::kChanged,
        ErrorSide::kSource,
        0,
        fmt::format("'{}' changed while the plan was made; run again when it is quiet", sources_.describe(file.path)),
        {}};
  }

  const Inventory& inventory_;
  const SourceSet& sources_;
  const std::atomic<bool>* stop_;
  const FilePass::ReadFile& read_;
  tbb::task_arena arena_;
};

}  // namespace

Status FilePass::run(const std::function<bool(EntryIndex)>& wanted, const ReadFile& read) {
  RoundReader reader(inventory_, sources_, thread_count_, stop_, read);
  std::vector<FileToRead> round;
  size_t position = 0;
  std::string path;
  struct Open {
    EntryIndex end;
    size_t path_bytes;
  };
  std::vector<Open> open;  // the directories around the entry at hand
  InventoryWalk walk(inventory_);
  for (EntryIndex entry = 0; entry < inventory_.entry_count(); ++entry) {
    walk.at(entry, inventory_.entry_count());
    while (!open.empty() && open.back().end <= entry) open.pop_back();
    path.resize(open.empty() ? 0 : open.back().path_bytes);
    if (!path.empty()) path += '/';
    path += inventory_.name(entry);
    const Entry& record = inventory_[entry];
    if (record.kind == EntryKind::kDirectory) {
      open.push_back({record.subtree_end, path.size()});
    } else if (record.kind == EntryKind::kFile && record.content_bytes > 0 && wanted(entry)) {
      round.push_back({entry, position++, path});
      if (round.size() == kFilesPerRound) {
        PIECEWORK_TRY(reader.read(round));
        round.clear();
      }
    }
  }
  return reader.read(round);
}

Status read_exactly(const io::File& file, MutableByteSpan target, uint64_t offset_bytes) {
  PIECEWORK_ASSIGN(const size_t done, file.read_full(target, offset_bytes));
  if (done == target.size()) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource,
              fmt::format("'{}' ends at {} bytes, expected at least {}: it changed while the plan was made",
                          printable(file.path()), offset_bytes + done, offset_bytes + target.size()));
}

Status for_each_part(const io::File& file, uint64_t file_bytes, uint64_t unit_bytes, std::atomic<uint64_t>* read_bytes,
                     const std::function<void(ByteSpan)>& part) {
  const uint64_t part_bytes = std::max<uint64_t>(unit_bytes, align_down(kReadBytes, unit_bytes));
  std::vector<uint8_t> buffer(std::min(part_bytes, file_bytes));
  for (uint64_t offset = 0; offset < file_bytes; offset += part_bytes) {
    const MutableByteSpan target = MutableByteSpan(buffer).first(std::min(part_bytes, file_bytes - offset));
    PIECEWORK_TRY(read_exactly(file, target, offset));
    if (read_bytes != nullptr) read_bytes->fetch_add(target.size(), std::memory_order_relaxed);
    part(target);
  }
  return {};
}

}  // namespace piecework::engine
