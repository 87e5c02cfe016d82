// SHA-256 of one message that arrives in parts, on the best variant for a single stream.
#include <array>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_message.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_shani.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

constexpr std::array<Variant<StreamFn>, 2> kVariants{{
    {"shani", kCpuShaNi, compress_blocks_shani},
    {"scalar", kCpuNone, compress_blocks_scalar},
}};
constinit VariantTable<StreamFn> table{"sha256_stream", kVariants};

}  // namespace

VariantTable<StreamFn>& stream_table() noexcept { return table; }

Sha256::Sha256() noexcept : state_(initial_state()) {}

void Sha256::append(ByteSpan data) noexcept { append_bytes(state_, data, table.active().fn); }

Digest32 Sha256::finish() const noexcept {
  Digest32 digest;
  finish_message(digest.data(), state_, table.active().fn);
  return digest;
}

Digest32 sha256(ByteSpan data) noexcept {
  Sha256 hasher;
  hasher.append(data);
  return hasher.finish();
}

}  // namespace piecework::kernels
