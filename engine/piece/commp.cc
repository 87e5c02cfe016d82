// commP: the accumulator, and the parallel forms over oneTBB.
//
// The parallel pipeline has three stages: next (serial, in order: decides or reads a segment), hash (parallel: loads
// and hashes it), fold (serial, in order: appends its root). As tokens leave in order, and never more are alive than
// there are buffers, token i may use buffer i mod count without any free list.
#include "engine/piece/commp.h"

#include <fcntl.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/piece/segment_source.h"
#include "engine/piece/zero_commitments.h"
#include "engine/task_order.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

// Height of the subtree of one segment: lower than kSegmentHeight only where the first segment is the whole piece.
unsigned height_of_segment(uint64_t segment_index, size_t payload_bytes) {
  return segment_index == 0 ? segment_tree_height(payload_bytes) : kSegmentHeight;
}

Digest32 root_of_segment(uint64_t segment_index, ByteSpan payload) {
  if (payload.size() == kSegmentBytes) return segment_root(payload.data());
  return subtree_root(payload, height_of_segment(segment_index, payload.size()));
}

bool stop_requested(const CommpOptions& options) {
  return options.stop != nullptr && options.stop->load(std::memory_order_relaxed);
}

tl::unexpected<Error> stopped() { return fail(ErrorCode::kCancelled, ErrorSide::kSource, "commP: stopped"); }

// Runs `work`, given the order of its tasks, on `thread_count` threads of oneTBB; what the library throws ends here.
template <class Work>
Status run_on_threads(unsigned thread_count, const Work& work) {
  try {
    const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, thread_count);
    oneapi::tbb::task_arena arena(static_cast<int>(thread_count));
    const TaskOrder order(arena);
    arena.execute([&] { work(order); });
    order.join();
    return {};
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal, std::string("commP: ") + thrown.what());
  }
}

// Keeps the first error of any stage; later ones follow from it.
class FirstError {
 public:
  void set(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    failed_.store(true, std::memory_order_release);
  }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Status status() {
    if (error_) return tl::unexpected<Error>(std::move(*error_));
    return {};
  }

 private:
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::optional<Error> error_;
};

// The state of one parallel run and its three stages.
class CommpPipeline {
 public:
  CommpPipeline(SegmentSource& source, const CommpOptions& options)
      : source_(source), options_(options), segments_(options.thread_count + 2) {
    for (Segment& segment : segments_) segment.buffer = std::make_unique_for_overwrite<uint8_t[]>(kSegmentBytes);
  }

  void run(const TaskOrder& order) {
    using oneapi::tbb::filter_mode;
    using oneapi::tbb::make_filter;
    const auto next = order.serial(next_, [this](oneapi::tbb::flow_control& control) { return this->next(control); });
    const auto hash = order.parallel([this](Segment* segment) { return this->hash(segment); });
    const auto fold = order.serial(fold_, [this](Segment* segment) { this->fold(*segment); });
    oneapi::tbb::parallel_pipeline(segments_.size(),
                                   make_filter<void, Segment*>(filter_mode::serial_in_order, next) &
                                       make_filter<Segment*, Segment*>(filter_mode::parallel, hash) &
                                       make_filter<Segment*, void>(filter_mode::serial_in_order, fold));
  }

  // REQUIRES: run() has returned.
  Result<Commp> finish() {
    PIECEWORK_TRY(error_.status());
    PIECEWORK_TRY(source_.finish());
    const uint64_t padded_bytes = padded_bytes_for(payload_bytes_);
    const unsigned height = tree_height(padded_bytes);
    return Commp{roots_ ? roots_->finish(height) : zero_commitment(height), payload_bytes_, padded_bytes};
  }

 private:
  Segment* next(oneapi::tbb::flow_control& control) {
    Segment& segment = segments_[token_count_++ % segments_.size()];
    take_over(&segment);  // from fold
    if (!error_.failed()) {
      const Result<bool> more = next_or_stop(segment);
      if (more && *more) {
        hand_over(&segment);
        return &segment;
      }
      if (!more) error_.set(more.error());
    }
    control.stop();
    return nullptr;
  }

  Result<bool> next_or_stop(Segment& segment) {
    if (stop_requested(options_)) return stopped();
    return source_.next(segment);
  }

  Segment* hash(Segment* segment) {
    take_over(segment);
    if (Status loaded = source_.load(*segment); loaded)
      segment->root = root_of_segment(segment->index, {segment->buffer.get(), segment->payload_bytes});
    else
      error_.set(std::move(loaded).error());
    hand_over(segment);
    return segment;
  }

  void fold(const Segment& segment) {
    take_over(&segment);
    if (!roots_) roots_.emplace(height_of_segment(segment.index, segment.payload_bytes));
    roots_->append(segment.root);
    payload_bytes_ += segment.payload_bytes;
    if (options_.done_bytes != nullptr)
      options_.done_bytes->fetch_add(segment.payload_bytes, std::memory_order_relaxed);
    hand_over(&segment);
  }

  SegmentSource& source_;
  const CommpOptions& options_;
  std::vector<Segment> segments_;
  TaskOrder::SerialStage next_;
  TaskOrder::SerialStage fold_;
  FirstError error_;
  uint64_t token_count_ = 0;           // serial stage "next"
  std::optional<SubtreeStack> roots_;  // serial stage "fold"
  uint64_t payload_bytes_ = 0;         // serial stage "fold"
};

}  // namespace

void CommpAccumulator::append(ByteSpan bytes) {
  PIECEWORK_CHECK(bytes.size() <= kPayloadBytesMax - payload_bytes_);
  payload_bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (pending_.empty() && bytes.size() >= kSegmentBytes) {  // no copy of whole segments
      roots_.append(segment_root(bytes.data()));
      bytes = bytes.subspan(kSegmentBytes);
      continue;
    }
    const size_t taken_bytes = std::min(bytes.size(), kSegmentBytes - pending_.size());
    pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken_bytes));
    bytes = bytes.subspan(taken_bytes);
    if (pending_.size() == kSegmentBytes) {
      roots_.append(segment_root(pending_.data()));
      pending_.clear();
    }
  }
}

Commp CommpAccumulator::finish() const {
  const uint64_t padded_bytes = padded_bytes_for(payload_bytes_);
  const unsigned height = tree_height(padded_bytes);
  if (height < kSegmentHeight) return {subtree_root(pending_, height), payload_bytes_, padded_bytes};
  SubtreeStack roots = roots_;
  if (!pending_.empty()) roots.append(subtree_root(pending_, kSegmentHeight));
  return {roots.finish(height), payload_bytes_, padded_bytes};
}

Result<Commp> commp_of_bytes(ByteSpan bytes, unsigned thread_count) {
  std::vector<Digest32> roots(segment_count(bytes.size()));
  const auto hash_range = [&](size_t begin_index, size_t end_index) {
    for (size_t index = begin_index; index < end_index; ++index) {
      const ByteSpan rest = bytes.subspan(index * kSegmentBytes);
      roots[index] = root_of_segment(index, rest.first(std::min<size_t>(rest.size(), kSegmentBytes)));
    }
  };
  if (thread_count <= 1) {
    hash_range(0, roots.size());
  } else {
    using Range = oneapi::tbb::blocked_range<size_t>;
    PIECEWORK_TRY(run_on_threads(thread_count, [&](const TaskOrder& order) {
      const auto hash = order.parallel([&](const Range& range) { hash_range(range.begin(), range.end()); });
      oneapi::tbb::parallel_for(Range(0, roots.size()), hash);
    }));
  }
  return Commp{piece_root(roots, bytes.size()), bytes.size(), padded_bytes_for(bytes.size())};
}

Result<Commp> commp_of_descriptor(int descriptor, const std::string& name, const CommpOptions& options) {
  PIECEWORK_ASSIGN(const std::unique_ptr<SegmentSource> source, open_segment_source(descriptor, name, options.stop));
  CommpPipeline pipeline(*source, options);
  PIECEWORK_TRY(run_on_threads(options.thread_count, [&](const TaskOrder& order) { pipeline.run(order); }));
  return pipeline.finish();
}

Result<Commp> commp_of_file(const std::string& path, const CommpOptions& options) {
  for (;;) {
    if (stop_requested(options)) return stopped();
    // Not O_NONBLOCK: a named pipe waits for its writer, as any reader of one does.
    const io::UniqueFd descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (descriptor.is_open()) return commp_of_descriptor(descriptor.get(), path, options);
    if (errno != EINTR) return fail_errno(errno, ErrorSide::kSource, path);
  }
}

}  // namespace piecework::engine
