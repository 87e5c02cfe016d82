// Files on their way from CARs into a target, many at a time: collected in the order of the tree, read, checked and
// written on all threads, then settled in order.
//
// A small file is one task; of a large one each block is a task, and the file stays open from batch to batch. A file
// that exists already is compared instead of written. Without a target everything is read and checked, and nothing
// written.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/restore/file_reader.h"
#include "engine/restore/restore_report.h"
#include "io/restore_target.h"

namespace piecework::engine {

// A file being restored.
struct FileSlot {
  std::string path;  // in the tree, for findings
  std::string name;
  std::shared_ptr<const io::File> directory;  // none without a target
  uint64_t size_bytes = 0;
  io::FileMetadata metadata;

  // Set when it is opened, by one thread.
  io::RestoredFile fresh;
  io::File existing;     // has the right name and size: compared
  bool is_taken = false;  // something else has the name
  // The first thing that went wrong, by its place in the file.
  std::mutex mutex;
  std::optional<VerifyFinding> fault;
  uint64_t fault_offset_bytes = 0;
  std::atomic<bool> has_failed = false;
};

// Thread-compatible; run_task() of one batch may run concurrently.
class RestoreBatch {
 public:
  static constexpr uint64_t kContentBytes = 32 * kMiB;
  static constexpr size_t kTasksMax = 4096;
  static constexpr uint64_t kWholeFileBytesMax = kMiB;  // a file up to here is one task

  // `target`: none to write nothing.
  RestoreBatch(BlockReader& reader, const io::RestoreTarget* target) : reader_(reader), target_(target) {}

  // A file that is one task, all of its chunks at once.
  void add_whole(std::shared_ptr<FileSlot> slot, std::vector<FileChunk> chunks);
  // Opens a large file; to be called before its first chunk is added. Errors: destination.
  Status open(FileSlot& slot);
  void add_chunk(const std::shared_ptr<FileSlot>& slot, FileChunk chunk);
  // All chunks of a large file are added.
  void add_end(std::shared_ptr<FileSlot> slot);
  bool is_full() const { return content_bytes_ >= kContentBytes || tasks_.size() >= kTasksMax; }
  bool empty() const { return tasks_.empty() && ends_.empty(); }

  size_t task_count() const { return tasks_.size(); }
  void run_task(size_t task_index);
  // After all tasks: gives large files their names, and counts. The batch is empty afterwards. Errors: destination.
  Status settle(RestoreReport& report, std::atomic<uint64_t>* done_bytes);

 private:
  struct Task {
    std::shared_ptr<FileSlot> slot;
    std::vector<FileChunk> chunks;
    bool is_whole = false;
  };

  Status run(Task& task);
  Status put(FileSlot& slot, const FileChunk& chunk, ByteSpan content);
  Status finish(FileSlot& slot);
  void count(FileSlot& slot, RestoreReport& report);

  BlockReader& reader_;
  const io::RestoreTarget* target_;
  std::vector<Task> tasks_;
  std::vector<std::shared_ptr<FileSlot>> ends_;  // large files that are complete, and small ones
  uint64_t content_bytes_ = 0;
  std::mutex mutex_;
  std::optional<Error> error_;
};

// Notes what is wrong with a file, unless something before it is known already.
void note_fault(FileSlot& slot, uint64_t offset_bytes, VerifyFinding fault);

}  // namespace piecework::engine
