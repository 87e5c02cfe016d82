#include "engine/piece/cold_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace piecework::engine {
namespace {

// Files of one run that the backend opens or reads at the same time.
constexpr size_t kColdFilesMax = 128;

}  // namespace

void ColdFiles::start_first(std::function<void()> done) {
  std::vector<ColdFile*> first;
  ColdFile* last_open = nullptr;
  for (ColdFile& file : files_) {
    if (file.fd < 0)
      first.push_back(&file);
    else
      last_open = &file;
  }
  size_t lane_count = reserve_descriptors(std::min(first.size(), kColdFilesMax));
  if (last_open != nullptr) {
    first.push_back(last_open);
    ++lane_count;
  }
  start(std::move(first), lane_count, std::move(done));
}

void ColdFiles::start_rest(std::function<void()> done) {
  is_last_start_ = true;
  std::vector<ColdFile*> rest;
  for (ColdFile& file : files_) {
    if (file.is_done) continue;
    if (reader_.is_stopped()) {
      fail_stopped(file);
      break;
    }
    const auto warmth = reader_.read_cached(run_, source(file), file);
    if (!warmth)
      fail_file(file, warmth.error());
    else if (*warmth == SourceReader::Warmth::kCold) {
      rest.push_back(&file);
      continue;
    }
    file.is_done = true;
    file.owned_fd.reset();
  }
  const size_t lane_count = std::min(rest.size(), kColdFilesMax);  // all are open
  if (lane_count > 0) return start(std::move(rest), lane_count, std::move(done));
  done_ = std::move(done);
  finish();
}

// For so many lanes that open files, or as many as may be open: at least one, since every run must come to its end.
size_t ColdFiles::reserve_descriptors(size_t wanted_count) {
  if (wanted_count == 0) return 0;
  const auto wanted = static_cast<int64_t>(wanted_count);
  const int64_t free = reader_.cold_count_max_ - reader_.cold_count_.load();
  reserved_count_ = std::clamp<int64_t>(free, 1, wanted);
  reader_.cold_count_.fetch_add(reserved_count_);
  return static_cast<size_t>(reserved_count_);
}

void ColdFiles::start(std::vector<ColdFile*> files, size_t lane_count, std::function<void()> done) {
  waiting_ = std::move(files);
  done_ = std::move(done);
  left_ = waiting_.size();
  lanes_.clear();
  for (size_t i = 0; i < lane_count; ++i) lanes_.emplace_back(*this);
  next_ = lane_count;
  // All may be over, and this object gone, inside the last of these calls.
  for (size_t i = 0; i < lane_count; ++i) start_file(lanes_[i], *waiting_[i]);
}

void ColdFiles::start_file(Lane& lane, ColdFile& file) {
  lane.file = &file;
  if (file.fd >= 0) return start_reads(lane);
  lane.open.request = reader_.open_request(run_, source(file), lane.path);
  lane.open.user = &lane;
  lane.open.complete = [](io::Operation& operation) {
    Lane& opened = *static_cast<Lane*>(operation.user);
    opened.batch.opened(opened);
  };
  reader_.backend_.submit(lane.open);
}

void ColdFiles::opened(Lane& lane) {
  ColdFile& file = *lane.file;
  if (!lane.open.result.ok()) {
    fail_file(file, io::operation_error(lane.open, ErrorSide::kSource, reader_.describe(run_, source(file))));
    return finish_file(lane);
  }
  file.owned_fd = CountedFd(io::UniqueFd(lane.open.result.fd));
  file.fd = file.owned_fd.get();
  auto stamp = io::stamp_fd(file.fd, ErrorSide::kSource, reader_.describe(run_, source(file)));
  Status status = stamp ? reader_.check_before(run_, source(file), *stamp) : tl::unexpected<Error>(stamp.error());
  if (!status) {
    fail_file(file, std::move(status).error());
    return finish_file(lane);
  }
  file.before = *stamp;
  start_reads(lane);
}

void ColdFiles::start_reads(Lane& lane) {
  ColdFile& file = *lane.file;
  const size_t read_count = source(file).extent_end - file.next_extent;
  if (read_count == 0) return finish_file(lane);
  lane.reads = std::make_unique<io::Operation[]>(read_count);
  lane.reads_left = read_count;
  std::vector<io::Operation*> operations(read_count);
  for (size_t i = 0; i < read_count; ++i) {
    const ReadExtent& extent = run_.extents[file.next_extent + i];
    const uint32_t done_bytes = i == 0 ? file.extent_done_bytes : 0;
    const MutableByteSpan target = run_.slot.bytes.subspan(extent.buffer_offset_bytes, extent.length_bytes);
    io::Operation& operation = lane.reads[i];
    operation.request = io::ReadRequest{file.fd, target.subspan(done_bytes), extent.file_offset_bytes + done_bytes};
    operation.user = &lane;
    operation.complete = [](io::Operation& completed) {
      Lane& reading = *static_cast<Lane*>(completed.user);
      reading.batch.read(reading, completed);
    };
    operations[i] = &operation;
  }
  reader_.backend_.submit(operations);
}

void ColdFiles::read(Lane& lane, const io::Operation& operation) {
  const FileToRead& file = source(*lane.file);
  const io::ReadRequest& request = std::get<io::ReadRequest>(operation.request);
  if (!operation.result.ok()) {
    fail_file(*lane.file, io::operation_error(operation, ErrorSide::kSource, reader_.describe(run_, file)));
  } else if (operation.result.done_bytes < request.target.size()) {
    fail_file(*lane.file, {ErrorCode::kChanged,
                           ErrorSide::kSource,
                           0,
                           fmt::format("'{}' ends at {} bytes, the plan saw {}: it shrank while it was packed",
                                       reader_.describe(run_, file),
                                       request.offset_bytes + operation.result.done_bytes, file.file_bytes),
                           {}});
  }
  if (lane.reads_left.fetch_sub(1) == 1) finish_file(lane);
}

void ColdFiles::finish_file(Lane& lane) {
  ColdFile& file = *lane.file;
  if (file.fd >= 0) {
    if (Status status = reader_.check_after(run_, source(file), file.fd, file.before); !status) {
      fail_file(file, std::move(status).error());
    }
  }
  file.owned_fd.reset();
  file.is_done = true;
  size_t finished_count = 1;
  size_t next = next_.fetch_add(1);
  if (next < waiting_.size() && reader_.is_stopped()) {
    fail_stopped(*waiting_[next]);
    for (; next < waiting_.size(); next = next_.fetch_add(1)) ++finished_count;
  }
  // The count goes down last: whoever brings it to zero is alone with the files.
  const bool more = next < waiting_.size();
  if (left_.fetch_sub(finished_count) == finished_count) return finish();
  if (more) start_file(lane, *waiting_[next]);
}

void ColdFiles::fail_file(const ColdFile& file, Error error) {
  const std::lock_guard lock(mutex_);
  if (first_ && first_->first <= file.file_index) return;
  first_.emplace(file.file_index, reader_.with_path(std::move(error), run_, source(file)));
}

void ColdFiles::fail_stopped(const ColdFile& file) {
  fail_file(file, {ErrorCode::kCancelled, ErrorSide::kInternal, 0, std::string(kStoppedText), {}});
}

void ColdFiles::finish() {
  if (is_last_start_ && first_) run_.status = tl::unexpected<Error>(first_->second);
  reader_.cold_count_.fetch_sub(std::exchange(reserved_count_, 0));
  if (is_last_start_) files_.clear();
  const std::function<void()> done = std::move(done_);
  done();
}

}  // namespace piecework::engine
