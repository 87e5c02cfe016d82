// The table of zero commitments, computed once with the node kernel.
#include "engine/piece/zero_commitments.h"

#include <algorithm>
#include <array>

#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr size_t kHeightCount = 64;
static_assert(kTreeHeightMax < kHeightCount);

using Table = std::array<Digest32, kHeightCount>;

Table make_table() {
  Table table{};  // height 0: zero leaves
  for (size_t height = 1; height < kHeightCount; ++height) {
    std::array<uint8_t, 2 * kDigestBytes> pair;
    std::ranges::copy(table[height - 1], pair.begin());
    std::ranges::copy(table[height - 1], pair.begin() + kDigestBytes);
    kernels::hash_nodes(table[height].data(), pair.data(), 1);
  }
  return table;
}

}  // namespace

const Digest32& zero_commitment(unsigned height) {
  static const Table table = make_table();
  PIECEWORK_CHECK(height < table.size());
  return table[height];
}

}  // namespace piecework::engine
