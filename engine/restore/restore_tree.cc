// See restore_tree.h.
#include "engine/restore/restore_tree.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

#include "engine/restore/restore_batch.h"
#include "engine/restore/restore_last.h"
#include "engine/restore/tree_walk.h"
#include "engine/task_order.h"

namespace piecework::engine {
namespace {

constexpr size_t kOpenDirectoriesMax = 64;    // of those that the walk is in
constexpr size_t kBatchDirectoriesMax = 256;  // that files of a batch keep open

// One tree of several that are restored together.
struct Tree {
  Cid root;
  Cid top;           // what stands at the request's path
  TreeKind kind = TreeKind::kOther;
  std::string path;  // where the top stands in findings
};

class Restore final : public TreeVisitor {
 public:
  Restore(BlockReader& reader, const RestoreRequest& request, io::RestoreTarget* target)
      : reader_(reader),
        request_(request),
        target_(target),
        batch_(reader, target),
        last_(request.symlinks, target),
        arena_(static_cast<int>(std::clamp(request.thread_count, 1u, 1024u))),
        order_(arena_) {}

  Result<RestoreReport> run() {
    PIECEWORK_TRY(find_tops());
    PIECEWORK_TRY(measure());
    for (tree_index_ = 0; tree_index_ < trees_.size(); ++tree_index_) {
      const Tree& tree = trees_[tree_index_];
      const TreeWalkOptions options{.is_strict = true, .depth_max = request_.limits.depth_max, .stop = request_.stop};
      PIECEWORK_TRY(walk_tree(reader_, tree.top, tree.path, options, *this));
    }
    PIECEWORK_TRY(flush());
    PIECEWORK_TRY(last_.finish(report_));
    if (target_ != nullptr && request_.sync) PIECEWORK_TRY(target_->sync());
    return std::move(report_);
  }

  // ---- TreeVisitor ----

  Result<bool> enter(const TreeEntry& directory, const NodeCursor& node) override {
    if (trees_.size() > 1 && is_parts_directory(node)) {
      PIECEWORK_ASSIGN(const bool has_item, another_tree_has(directory.path));
      if (has_item) return false;
    }
    if (levels_.empty()) {
      levels_.push_back({target_ == nullptr ? nullptr : target_->root(), {}});
    } else {
      PIECEWORK_ASSIGN(const bool is_entered, make_directory(directory));
      if (!is_entered) return false;
    }
    if (levels_.size() > 1) ++report_.directory_count;
    const io::FileMetadata metadata = metadata_of(directory);
    if (levels_.size() > 1 && !metadata.empty()) last_.add_directory(levels_.back().path, metadata);
    if (levels_.size() > kOpenDirectoriesMax) levels_[levels_.size() - kOpenDirectoriesMax - 1].directory.reset();
    return true;
  }

  Status leave() override {
    levels_.pop_back();
    if (levels_.empty() || target_ == nullptr || levels_.back().directory) return {};
    PIECEWORK_ASSIGN(levels_.back().directory, target_->reopen(levels_.back().path));
    return {};
  }

  Status file(const TreeEntry& entry, std::unique_ptr<NodeCursor> node) override {
    const auto slot = std::make_shared<FileSlot>();
    slot->path = entry.path;
    slot->size_bytes = entry.size_bytes;
    slot->metadata = metadata_of(entry);
    slot->name = name_of(entry);
    if (!may_have_name(entry, slot->name)) return {};
    slot->directory = directory();
    if (slot->directory != last_directory_) {
      last_directory_ = slot->directory;
      ++batch_directory_count_;
    }
    FileReader content(reader_, entry.cid, entry.place, std::move(node), 0, entry.size_bytes);
    return entry.size_bytes <= RestoreBatch::kWholeFileBytesMax ? add_small(slot, content) : add_large(slot, content);
  }

  Status symlink(const TreeEntry& entry) override {
    const std::string name = name_of(entry);
    if (!may_have_name(entry, name)) return {};
    return last_.add_symlink(levels_.empty() ? std::string() : levels_.back().path, name, entry, metadata_of(entry));
  }

  Status other(const TreeEntry& entry) override {
    report_.problems.add({.kind = finding::kNotUnixfs,
                          .path = std::string(entry.path),
                          .cid = cid_text(entry.cid.bytes),
                          .expected = "a file, directory or symlink",
                          .actual = "a block that is none of them"});
    return {};
  }

  Status fault(VerifyFinding fault) override {
    report_.problems.add(std::move(fault));
    return {};
  }

 private:
  struct Level {
    std::shared_ptr<const io::File> directory;  // none where it was closed, or nothing is written
    std::string path;                           // in the target
  };

  // Where the request's path leads to in each root.
  Status find_tops() {
    for (const Cid& root : request_.roots) {
      Tree tree{.root = root, .top = root, .kind = TreeKind::kDirectory, .path = request_.path};
      if (!request_.path.empty()) {
        Result<std::optional<FoundEntry>> found = find_path(reader_, root, request_.path);
        if (!found && !is_block_fault(found.error())) return tl::unexpected<Error>(std::move(found.error()));
        if (!found) report_.problems.add(reader_.finding(found.error(), root.view(), {}, request_.path));
        if (!found || !*found) continue;
        tree.top = std::move((*found)->cid);
      }
      trees_.push_back(std::move(tree));
    }
    if (!trees_.empty() || !report_.ok()) return {};
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                request_.path.empty() ? "no roots: give one with --root"
                                      : fmt::format("no root has '{}'", printable(request_.path)));
  }

  Status measure() {
    TreeMeasure sum;
    RestoreLimits left = request_.limits;
    for (const Tree& tree : trees_) {
      PIECEWORK_ASSIGN(const TreeMeasure measured, measure_tree(reader_, tree.top, left, request_.stop));
      left.entry_count_max -= measured.entry_count;
      left.content_bytes_max -= measured.content_bytes;
      sum.content_bytes += measured.content_bytes;
    }
    if (request_.planned_bytes != nullptr) *request_.planned_bytes = sum.content_bytes;
    if (target_ == nullptr || !target_->was_empty()) return {};  // what is there already needs no room
    PIECEWORK_ASSIGN(const uint64_t available_bytes, target_->available_bytes());
    if (sum.content_bytes <= available_bytes) return {};
    return fail(ErrorCode::kNoSpace, ErrorSide::kDestination,
                fmt::format("'{}': {} bytes are to be restored, {} are free", printable(target_->root()->path()),
                            sum.content_bytes, available_bytes));
  }

  // Whether another root has at `path` what is in parts here.
  Result<bool> another_tree_has(std::string_view path) {
    for (size_t i = 0; i < trees_.size(); ++i) {
      if (i == tree_index_) continue;
      Result<std::optional<FoundEntry>> found = find_path(reader_, trees_[i].root, path);
      if (!found && !is_block_fault(found.error())) return tl::unexpected<Error>(std::move(found.error()));
      if (!found || !*found) continue;
      if ((*found)->kind != TreeKind::kDirectory) return true;
      PIECEWORK_ASSIGN(const OpenedEntry opened, open_entry(reader_, (*found)->cid.view()));
      if (!is_parts_directory(*opened.node)) return true;
    }
    return false;
  }

  // ---- Names and directories ----

  static io::FileMetadata metadata_of(const TreeEntry& entry) {
    io::FileMetadata metadata;
    if (entry.unixfs == nullptr) return metadata;
    metadata.mode = entry.unixfs->mode;
    if (entry.unixfs->mtime) metadata.mtime = {entry.unixfs->mtime->seconds, entry.unixfs->mtime->nanoseconds};
    return metadata;
  }

  // What is restored without a directory around it has the name of its path, or of its CID.
  std::string name_of(const TreeEntry& entry) const {
    if (!levels_.empty() || !entry.name.empty()) return std::string(entry.name);
    return cid_text(entry.cid.bytes);
  }

  std::shared_ptr<const io::File> directory() const {
    if (!levels_.empty()) return levels_.back().directory;
    return target_ == nullptr ? nullptr : target_->root();
  }

  bool may_have_name(const TreeEntry& entry, std::string_view name) {
    if (levels_.size() > 1 || !io::RestoreTarget::is_temporary_name(name)) return true;
    report_.problems.add({.kind = finding::kName,
                          .path = std::string(entry.path),
                          .cid = cid_text(entry.cid.bytes),
                          .expected = "a name that can be restored",
                          .actual = "the name of a temporary of this program"});
    return false;
  }

  // Makes the directory and goes into it.
  Result<bool> make_directory(const TreeEntry& entry) {
    const Level& parent = levels_.back();
    Level level{nullptr, parent.path.empty() ? std::string(entry.name) : fmt::format("{}/{}", parent.path, entry.name)};
    if (!may_have_name(entry, entry.name)) return false;
    if (target_ != nullptr) {
      PIECEWORK_ASSIGN(level.directory, target_->enter(*parent.directory, entry.name));
      if (!level.directory) {
        report_.conflicts.add({.kind = finding::kExists,
                               .path = std::string(entry.path),
                               .expected = "no such name, or a directory",
                               .actual = "something else has the name; it was left as it is"});
        return false;
      }
    }
    levels_.push_back(std::move(level));
    return true;
  }

  // ---- Files ----

  // The next chunk; none at the end, or where the file has a fault.
  Result<std::optional<FileChunk>> next_chunk(FileSlot& slot, FileReader& content, uint64_t offset_bytes) {
    Result<std::optional<FileChunk>> chunk = content.next();
    if (chunk || !is_block_fault(chunk.error())) return chunk;
    note_fault(slot, offset_bytes,
               reader_.finding(chunk.error(), content.failed_cid().view(), content.failed_place(), slot.path));
    return std::nullopt;
  }

  Status add_small(const std::shared_ptr<FileSlot>& slot, FileReader& content) {
    std::vector<FileChunk> chunks;
    for (;;) {
      PIECEWORK_ASSIGN(std::optional<FileChunk> chunk, next_chunk(*slot, content, slot->size_bytes));
      if (!chunk) break;
      chunks.push_back(std::move(*chunk));
    }
    batch_.add_whole(slot, std::move(chunks));
    return flush_if_full();
  }

  Status add_large(const std::shared_ptr<FileSlot>& slot, FileReader& content) {
    PIECEWORK_TRY(batch_.open(*slot));
    uint64_t offset_bytes = 0;
    while (!slot->has_failed) {
      if (request_.stop != nullptr && request_.stop->load(std::memory_order_relaxed)) {
        return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped");
      }
      PIECEWORK_ASSIGN(std::optional<FileChunk> chunk, next_chunk(*slot, content, offset_bytes));
      if (!chunk) break;
      offset_bytes = chunk->offset_bytes + chunk->content_bytes;
      batch_.add_chunk(slot, std::move(*chunk));
      PIECEWORK_TRY(flush_if_full());
    }
    batch_.add_end(slot);
    return {};
  }

  Status flush_if_full() {
    return batch_.is_full() || batch_directory_count_ >= kBatchDirectoriesMax ? flush() : Status();
  }

  Status flush() {
    if (batch_.empty()) return {};
    const auto run_task = order_.parallel([batch = &batch_](size_t task_index) { batch->run_task(task_index); });
    arena_.execute([&] { tbb::parallel_for(size_t{0}, batch_.task_count(), run_task); });
    order_.join();
    batch_directory_count_ = 0;
    last_directory_.reset();
    return batch_.settle(report_, request_.done_bytes);
  }

  BlockReader& reader_;
  const RestoreRequest& request_;
  io::RestoreTarget* target_;
  RestoreReport report_;
  RestoreBatch batch_;
  RestoreLast last_;
  tbb::task_arena arena_;
  TaskOrder order_;
  std::vector<Tree> trees_;
  size_t tree_index_ = 0;
  std::vector<Level> levels_;  // the directories that the walk is in
  std::shared_ptr<const io::File> last_directory_;
  size_t batch_directory_count_ = 0;
};

}  // namespace

Result<RestoreReport> restore_trees(BlockReader& reader, const RestoreRequest& request, io::RestoreTarget* target) {
  return Restore(reader, request, target).run();
}

}  // namespace piecework::engine
