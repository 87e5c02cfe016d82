// See sha256_multibuffer.h.
#include "kernels/sha256/sha256_multibuffer.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/check.h"
#include "kernels/sha256/sha256_message.h"

namespace piecework::kernels {
namespace {

class LaneScheduler {
 public:
  LaneScheduler(std::span<const HashJob> jobs, const LaneKernels& kernels) noexcept
      : waiting_(jobs), kernels_(kernels) {
    PIECEWORK_DCHECK(kernels.wide_lanes <= kLanesMax && kernels.narrow_lanes <= kernels.wide_lanes);
  }

  void run() noexcept {
    for (fill_lanes(); live_count_ > 0; fill_lanes()) step();
  }

 private:
  enum class Part : uint8_t { kHead, kBody, kEnd, kDone };

  // A message in a lane. Its chaining value is in state_, its next bytes are in data_ and block_count_.
  struct Lane {
    const HashJob* job;
    ByteSpan rest;         // bytes of the job that no part has taken yet
    uint64_t total_bytes;  // of the message, this job's bytes included
    size_t pending_bytes;  // held in `blocks` for the head or the end
    Part next_part;
    alignas(64) uint8_t blocks[2 * kBlockBytes];
  };

  void fill_lanes() noexcept {
    while (live_count_ < kernels_.wide_lanes && !waiting_.empty()) {
      start(live_count_, waiting_.front());
      waiting_ = waiting_.subspan(1);
      if (begin_next_part(live_count_)) ++live_count_;
    }
  }

  // Puts `job` into the lane; its first part is not begun.
  void start(size_t index, const HashJob& job) noexcept {
    Lane& lane = lanes_[index];
    const Sha256State fresh = job.stream == nullptr ? initial_state() : Sha256State{};
    const Sha256State& message = job.stream == nullptr ? fresh : job.stream->state();
    lane.job = &job;
    lane.rest = {job.data, job.data_bytes};
    lane.total_bytes = message.total_bytes + job.data_bytes;
    lane.pending_bytes = message.total_bytes % kBlockBytes;
    lane.next_part = Part::kHead;
    std::memcpy(lane.blocks, message.pending, lane.pending_bytes);
    for (size_t i = 0; i < 8; ++i) state_[i][index] = message.words[i];
  }

  // Gives the lane blocks to work on. Returns false where none are left: then the job's results are written.
  bool begin_next_part(size_t index) noexcept {
    Lane& lane = lanes_[index];
    switch (lane.next_part) {
      case Part::kHead:
        if (begin_head(index, lane)) return true;
        [[fallthrough]];
      case Part::kBody:
        if (begin_body(index, lane)) return true;
        [[fallthrough]];
      case Part::kEnd:
        if (begin_end(index, lane)) return true;
        [[fallthrough]];
      case Part::kDone:
        if (lane.job->digest != nullptr) write_digest(index, lane);
        return false;
    }
    return false;
  }

  bool begin_head(size_t index, Lane& lane) noexcept {
    lane.next_part = Part::kBody;
    if (lane.pending_bytes == 0) return false;
    const size_t copied = std::min(kBlockBytes - lane.pending_bytes, lane.rest.size());
    copy_bytes(lane.blocks + lane.pending_bytes, lane.rest.first(copied));
    lane.rest = lane.rest.subspan(copied);
    lane.pending_bytes += copied;
    if (lane.pending_bytes < kBlockBytes) return false;
    lane.pending_bytes = 0;
    return set_blocks(index, lane.blocks, 1);
  }

  bool begin_body(size_t index, Lane& lane) noexcept {
    lane.next_part = Part::kEnd;
    const size_t whole_blocks = lane.rest.size() / kBlockBytes;
    if (whole_blocks == 0) return false;
    const uint8_t* data = lane.rest.data();
    lane.rest = lane.rest.subspan(whole_blocks * kBlockBytes);
    return set_blocks(index, data, whole_blocks);
  }

  bool begin_end(size_t index, Lane& lane) noexcept {
    lane.next_part = Part::kDone;
    copy_bytes(lane.blocks + lane.pending_bytes, lane.rest);
    if (lane.job->stream != nullptr) leave_stream(index, lane);
    if (lane.job->digest == nullptr) return false;
    return set_blocks(index, lane.blocks, complete_final_blocks(lane.blocks, lane.total_bytes));
  }

  bool set_blocks(size_t index, const uint8_t* data, size_t block_count) noexcept {
    data_[index] = data;
    block_count_[index] = block_count;
    return true;
  }

  void leave_stream(size_t index, const Lane& lane) noexcept {
    Sha256State message;
    for (size_t i = 0; i < 8; ++i) message.words[i] = state_[i][index];
    message.total_bytes = lane.total_bytes;
    std::memcpy(message.pending, lane.blocks, lane.total_bytes % kBlockBytes);
    *lane.job->stream = Sha256(message);
  }

  void write_digest(size_t index, const Lane& lane) noexcept {
    for (size_t i = 0; i < 8; ++i) store_be32(lane.job->digest + 4 * i, state_[i][index]);
  }

  // Advances as many lanes as one kernel takes, up to where the first of them needs attention.
  void step() noexcept {
    const bool wide = live_count_ >= kernels_.wide_lanes_min;
    const size_t lane_count = std::min(live_count_, wide ? kernels_.wide_lanes : kernels_.narrow_lanes);
    const size_t block_count = *std::min_element(block_count_, block_count_ + lane_count);
    // Lanes without a message hash what lane 0 hashes: always readable, never used.
    std::fill(data_ + live_count_, data_ + kernels_.wide_lanes, data_[0]);
    (wide ? kernels_.wide : kernels_.narrow)(state_, data_, lane_count, block_count);
    // From the last to the first, so that retire() moves only lanes that are up to date.
    for (size_t i = lane_count; i-- > 0;) {
      data_[i] += block_count * kBlockBytes;
      block_count_[i] -= block_count;
      if (block_count_[i] == 0 && !begin_next_part(i)) retire(i);
    }
  }

  // The lane's message is done: the next job starts here, or the last live lane moves here.
  void retire(size_t index) noexcept {
    while (!waiting_.empty()) {
      start(index, waiting_.front());
      waiting_ = waiting_.subspan(1);
      if (begin_next_part(index)) return;
    }
    const size_t last = --live_count_;
    if (index == last) return;
    // The moved lane may be at work on lanes_[last].blocks. It may stay so: no job waits, so nothing writes there
    // again.
    lanes_[index] = lanes_[last];
    data_[index] = data_[last];
    block_count_[index] = block_count_[last];
    for (size_t i = 0; i < 8; ++i) state_[i][index] = state_[i][last];
  }

  alignas(64) uint32_t state_[8][kLanesMax];
  const uint8_t* data_[kLanesMax];
  size_t block_count_[kLanesMax];
  Lane lanes_[kLanesMax];
  size_t live_count_ = 0;  // lanes 0 .. live_count_ - 1 hold messages
  std::span<const HashJob> waiting_;
  const LaneKernels& kernels_;
};

}  // namespace

void hash_many_in_lanes(std::span<const HashJob> jobs, const LaneKernels& kernels) noexcept {
  LaneScheduler(jobs, kernels).run();
}

}  // namespace piecework::kernels
