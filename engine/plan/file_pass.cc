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

}  // namespace

class FileRounds::Reader {
 public:
  Reader(const SourceSet& sources, unsigned thread_count, const std::atomic<bool>* stop, ReadListedFile read,
         std::string_view since)
      : sources_(sources),
        stop_(stop),
        read_(std::move(read)),
        since_(since),
        arena_(static_cast<int>(thread_count)) {}

  Status read(const std::vector<ListedFile>& round) {
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
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while reading files");
  }

 private:
  bool is_stopped() const { return stop_ != nullptr && stop_->load(std::memory_order_relaxed); }

  Status read_one(const ListedFile& file) {
    const SourcePlace place = sources_.place(file.path);
    const auto with_path = [&](Error error) {
      error.path = file.path;
      return tl::unexpected<Error>(std::move(error));
    };
    auto opened = io::open_beneath(*place.directory, place.path);
    if (!opened) return with_path(std::move(opened).error());
    auto before = opened->stamp();
    if (!before) return with_path(std::move(before).error());
    if (!before->is_regular() || before->size_bytes != file.file_bytes || before->mtime_ns != file.mtime_ns) {
      return with_path(changed(file));
    }
    if (Status status = read_(file, *opened); !status) return with_path(std::move(status).error());
    auto after = opened->stamp();
    if (!after) return with_path(std::move(after).error());
    if (*after != *before) return with_path(changed(file));
    return {};
  }

  Error changed(const ListedFile& file) const {
    return {ErrorCode::kChanged,
            ErrorSide::kSource,
            0,
            fmt::format("'{}' changed {}; plan again when it is quiet", sources_.describe(file.path), since_),
            {}};
  }

  const SourceSet& sources_;
  const std::atomic<bool>* stop_;
  const ReadListedFile read_;
  const std::string_view since_;
  tbb::task_arena arena_;
};

FileRounds::FileRounds(const SourceSet& sources, unsigned thread_count, const std::atomic<bool>* stop,
                       ReadListedFile read, std::string_view since)
    : reader_(std::make_unique<Reader>(sources, thread_count, stop, std::move(read), since)) {}
FileRounds::~FileRounds() = default;

Status FileRounds::read(const std::vector<ListedFile>& round) { return reader_->read(round); }

Status FilePass::run(const std::function<bool(EntryIndex)>& wanted, ReadListedFile read) {
  FileRounds reader(sources_, thread_count_, stop_, std::move(read), "while the plan was made");
  std::vector<ListedFile> round;
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
      round.push_back({entry, position++, path, record.content_bytes, record.mtime_ns});
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
