// SHA-256 of one message that arrives in parts, on the best variant for a single stream.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_constants.h"
#include "kernels/sha256/sha256_message.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

constexpr std::array<Variant<StreamFn>, 1> kVariants{{
    {"scalar", kCpuNone, compress_blocks_scalar},
}};
constinit VariantTable<StreamFn> table{"sha256_stream", kVariants};

void compress(uint32_t* state, const uint8_t* data, size_t block_count) noexcept {
  table.active().fn(state, data, block_count);
}

}  // namespace

VariantTable<StreamFn>& stream_table() noexcept { return table; }

Sha256::Sha256() noexcept : pending_{} { std::memcpy(state_, kInitialState.value, sizeof state_); }

void Sha256::append(ByteSpan data) noexcept {
  const size_t pending_bytes = total_bytes_ % kBlockBytes;
  total_bytes_ += data.size();
  if (pending_bytes != 0) {
    const size_t copied = std::min(kBlockBytes - pending_bytes, data.size());
    if (copied != 0) std::memcpy(pending_ + pending_bytes, data.data(), copied);
    data = data.subspan(copied);
    if (pending_bytes + copied < kBlockBytes) return;
    compress(state_, pending_, 1);
  }
  const size_t whole_blocks = data.size() / kBlockBytes;
  if (whole_blocks != 0) compress(state_, data.data(), whole_blocks);
  data = data.subspan(whole_blocks * kBlockBytes);
  if (!data.empty()) std::memcpy(pending_, data.data(), data.size());
}

Digest32 Sha256::finish() const noexcept {
  uint32_t state[8];
  std::memcpy(state, state_, sizeof state);
  uint8_t final_blocks[2 * kBlockBytes];
  const size_t final_count = write_final_blocks(final_blocks, {pending_, total_bytes_ % kBlockBytes}, total_bytes_);
  compress(state, final_blocks, final_count);
  Digest32 digest;
  store_digest(digest.data(), state);
  return digest;
}

Digest32 sha256(ByteSpan data) noexcept {
  Sha256 hasher;
  hasher.append(data);
  return hasher.finish();
}

}  // namespace piecework::kernels
