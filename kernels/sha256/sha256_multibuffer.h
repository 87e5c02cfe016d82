// The lane scheduler of hash_many: messages of any lengths over a kernel that advances several messages in step.
//
// All lanes advance by the number of blocks that the shortest of them has left; a lane that
// runs out goes to its next part (the block that completes bytes held back, whole blocks in
// place, the padded end) or takes the next job. When jobs run out and few lanes are left,
// wide vectors would mostly hash nothing, so a narrow kernel takes over from the same states.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/sha256/sha256.h"

namespace piecework::kernels {

inline constexpr size_t kLanesMax = 16;

// Advances lanes 0 .. lane_count - 1 by `block_count` blocks, those of lane i from data[i]. state[w][i] is word w of
// lane i. A wide kernel reads all its lanes whatever `lane_count` is: the scheduler keeps every pointer readable.
using CompressLanesFn = void(uint32_t (*state)[kLanesMax], const uint8_t* const* data, size_t lane_count,
                             size_t block_count) noexcept;

struct LaneKernels {
  CompressLanesFn* wide;
  size_t wide_lanes;      // <= kLanesMax
  size_t wide_lanes_min;  // with fewer live lanes `narrow` is faster
  CompressLanesFn* narrow;
  size_t narrow_lanes;  // <= wide_lanes; any lane_count from 1 to this
};

// As hash_many (sha256.h), on these kernels.
void hash_many_in_lanes(std::span<const HashJob> jobs, const LaneKernels& kernels) noexcept;

}  // namespace piecework::kernels
