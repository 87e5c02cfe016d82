// See restore_batch.h.
#include "engine/restore/restore_batch.h"

#include <fmt/format.h>

#include <algorithm>

namespace piecework::engine {

void note_fault(FileSlot& slot, uint64_t offset_bytes, VerifyFinding fault) {
  const std::lock_guard lock(slot.mutex);
  slot.has_failed = true;
  if (slot.fault && slot.fault_offset_bytes <= offset_bytes) return;
  slot.fault = std::move(fault);
  slot.fault_offset_bytes = offset_bytes;
}

void RestoreBatch::add_whole(std::shared_ptr<FileSlot> slot, std::vector<FileChunk> chunks) {
  content_bytes_ += slot->size_bytes;
  ends_.push_back(slot);
  tasks_.push_back({std::move(slot), std::move(chunks), true});
}

void RestoreBatch::add_chunk(const std::shared_ptr<FileSlot>& slot, FileChunk chunk) {
  content_bytes_ += chunk.wanted_bytes;
  if (!chunk.content) reader_.announce(chunk.cid.view(), chunk.place);
  std::vector<FileChunk> chunks;
  chunks.push_back(std::move(chunk));
  tasks_.push_back({slot, std::move(chunks), false});
}

void RestoreBatch::add_end(std::shared_ptr<FileSlot> slot) { ends_.push_back(std::move(slot)); }

Status RestoreBatch::open(FileSlot& slot) {
  if (target_ == nullptr) return {};
  PIECEWORK_ASSIGN(std::optional<io::RestoreTarget::Existing> existing, target_->find(*slot.directory, slot.name));
  if (!existing) {
    PIECEWORK_ASSIGN(slot.fresh, target_->create());
    return {};
  }
  slot.is_taken = !existing->file.is_open() || existing->size_bytes != slot.size_bytes;
  if (!slot.is_taken) slot.existing = std::move(existing->file);
  return {};
}

void RestoreBatch::run_task(size_t task_index) {
  Status status = run(tasks_[task_index]);
  if (status) return;
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(status.error());
}

Status RestoreBatch::run(Task& task) {
  FileSlot& slot = *task.slot;
  if (task.is_whole && !slot.has_failed) PIECEWORK_TRY(open(slot));
  std::vector<uint8_t> buffer;
  for (const FileChunk& chunk : task.chunks) {
    // What is wrong with the blocks of a file whose name is taken is found all the same.
    if (slot.has_failed) return {};
    ByteSpan content;
    const Status read = read_chunk(reader_, chunk, buffer, content);
    if (!read && !is_block_fault(read.error())) return read;
    if (!read) {
      note_fault(slot, chunk.offset_bytes,
                 reader_.finding(read.error(), chunk.cid.view(), chunk.place, slot.path));
      return {};
    }
    PIECEWORK_TRY(put(slot, chunk, content));
  }
  return task.is_whole ? finish(slot) : Status();
}

Status RestoreBatch::put(FileSlot& slot, const FileChunk& chunk, ByteSpan content) {
  if (slot.fresh.is_open()) return slot.fresh.write(content, chunk.offset_bytes);
  if (!slot.existing.is_open()) return {};
  std::vector<uint8_t> there(content.size());
  PIECEWORK_ASSIGN(const size_t read_bytes, slot.existing.read_full(there, chunk.offset_bytes));
  if (read_bytes == content.size() && std::equal(content.begin(), content.end(), there.begin())) return {};
  const std::lock_guard lock(slot.mutex);
  slot.is_taken = true;
  return {};
}

// Gives a complete file its name.
Status RestoreBatch::finish(FileSlot& slot) {
  if (slot.has_failed) slot.fresh = {};
  if (!slot.fresh.is_open()) return {};
  PIECEWORK_TRY(slot.fresh.set_metadata(slot.metadata));
  PIECEWORK_ASSIGN(const bool has_name, target_->publish(slot.fresh, *slot.directory, slot.name));
  slot.is_taken = !has_name;
  slot.fresh = {};
  return {};
}

void RestoreBatch::count(FileSlot& slot, RestoreReport& report) {
  if (slot.fault) {
    report.problems.add(std::move(*slot.fault));
  } else if (slot.is_taken) {
    report.conflicts.add({.kind = finding::kExists,
                          .path = slot.path,
                          .expected = "no such name, or the same file",
                          .actual = "something else has the name; it was left as it is"});
  } else {
    ++report.file_count;
    report.content_bytes += slot.size_bytes;
    if (slot.existing.is_open()) ++report.kept_count;
  }
}

Status RestoreBatch::settle(RestoreReport& report, std::atomic<uint64_t>* done_bytes) {
  if (error_) return tl::unexpected<Error>(std::move(*error_));
  for (const std::shared_ptr<FileSlot>& slot : ends_) {
    PIECEWORK_TRY(finish(*slot));
    count(*slot, report);
  }
  if (done_bytes != nullptr) *done_bytes += content_bytes_;
  tasks_.clear();
  ends_.clear();
  content_bytes_ = 0;
  return {};
}

}  // namespace piecework::engine
