// Collect, sort, search by interpolation; see verify_index.h.
#include "engine/restore/verify_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "kernels/base/endian.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

BlockKey block_key(ByteSpan cid_bytes) {
  const Digest32 digest = kernels::sha256(cid_bytes);
  return {load_be64(digest.data()), load_be64(digest.data() + 8)};
}

Status BlockIndex::append(const BlockEntry& entry) {
  if (entries_.size() >= entry_count_max_) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal,
                fmt::format("more than {} blocks: their index would pass the memory of this check ({} bytes a block); "
                            "give it more with --memory",
                            entry_count_max_, sizeof(BlockEntry)));
  }
  entries_.push_back(entry);
  return {};
}

uint64_t BlockIndex::sort() {
  std::sort(entries_.begin(), entries_.end(), [](const BlockEntry& a, const BlockEntry& b) {
    return std::tuple(a.key, uint64_t{a.offset_bytes}) < std::tuple(b.key, uint64_t{b.offset_bytes});
  });
  const auto same_key = [](const BlockEntry& a, const BlockEntry& b) { return a.key == b.key; };
  const auto end = std::unique(entries_.begin(), entries_.end(), same_key);
  const auto dropped_count = static_cast<uint64_t>(entries_.end() - end);
  entries_.erase(end, entries_.end());
  return dropped_count;
}

BlockEntry* BlockIndex::find(const BlockKey& key) {
  if (entries_.empty()) return nullptr;
  // Even keys: the place is off by about the square root of the count. Widen from the guess, then halve.
  const auto guess = static_cast<size_t>(static_cast<unsigned __int128>(key.high) * entries_.size() >> 64);
  size_t low = guess;
  size_t high = guess + 1;
  for (size_t step = 8; low > 0 && entries_[low].key > key; step *= 2) low -= std::min(low, step);
  for (size_t step = 8; high < entries_.size() && entries_[high - 1].key < key; step *= 2) {
    high = std::min(entries_.size(), high + step);
  }
  const auto begin = entries_.begin();
  const auto found = std::lower_bound(begin + static_cast<ptrdiff_t>(low), begin + static_cast<ptrdiff_t>(high), key,
                                      [](const BlockEntry& entry, const BlockKey& k) { return entry.key < k; });
  if (found == entries_.end() || found->key != key) return nullptr;
  return &*found;
}

}  // namespace piecework::engine
