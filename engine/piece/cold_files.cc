#include "engine/piece/cold_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "io/limits.h"

namespace piecework::engine {
namespace {

// Files of one run that the backend opens or reads at the same time.
constexpr size_t kColdFilesMax = 128;
// So many are enough for any disk to be busy.
constexpr int64_t kDescriptorsMax = 8192;
constexpr int64_t kDescriptorsOfRunMin = 16;

std::atomic<int64_t> taken_count = 0;

int64_t limit() {
  static const int64_t count = static_cast<int64_t>(std::min<uint64_t>(io::open_file_limit(), 2 * kDescriptorsMax));
  return count;
}

}  // namespace

int64_t ColdDescriptors::take(int64_t wanted) {
  // A run of which none is left must come to its end too: a part of the other half.
  const int64_t least = std::clamp<int64_t>(limit() / 64, 1, kDescriptorsOfRunMin);
  const int64_t count = std::min(wanted, std::max(least, limit() / 2 - taken_count.load()));
  taken_count.fetch_add(count);
  return count;
}

bool ColdDescriptors::try_take_one() {
  if (taken_count.fetch_add(1) < limit() / 2) return true;
  taken_count.fetch_sub(1);
  return false;
}

void ColdDescriptors::give_back(int64_t count) { taken_count.fetch_sub(count); }

void ColdFiles::start_first(std::function<void()> done) {
  std::vector<ColdFile*> first = {nullptr};
  for (ColdFile& file : files_) {
    if (file.fd >= 0)
      first.front() = &file;
    else
      first.push_back(&file);
  }
  if (first.front() == nullptr) first.erase(first.begin());
  taken_count_ = ColdDescriptors::take(static_cast<int64_t>(std::min(first.size(), kColdFilesMax)));
  const auto lane_count = static_cast<size_t>(taken_count_);
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

void ColdFiles::start(std::vector<ColdFile*> files, size_t lane_count, std::function<void()> done) {
  waiting_ = std::move(files);
  done_ = std::move(done);
  left_ = waiting_.size();
  lanes_.clear();
  for (size_t i = 0; i < lane_count; ++i) lanes_.emplace_back(*this);
  next_ = lane_count;
  // All may be over, and the next start under way, inside the last of these calls.
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
  ColdDescriptors::give_back(std::exchange(taken_count_, 0));
  if (is_last_start_) files_.clear();
  const std::function<void()> done = std::move(done_);
  done();
}

}  // namespace piecework::engine
