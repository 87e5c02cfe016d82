// Every variant of every kernel against its scalar version, on the same bytes at the same alignment.
//
// Input: one byte that says where the data begins in its buffer (six bits) and which kernels take it, one that cuts
// messages for hash_many, then the data.
// Buffers are exactly as long as the contracts say, so AddressSanitizer sees a read or write beyond them.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/fr32/fr32.h"
#include "kernels/fr32/fr32_variants.h"
#include "kernels/isal.h"
#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_message.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

// A copy of `data` that ends with its allocation and begins `offset_bytes` after an aligned address.
class PlacedCopy {
 public:
  PlacedCopy(ByteSpan data, size_t offset_bytes)
      : bytes_(new uint8_t[offset_bytes + data.size()]), data_(bytes_.get() + offset_bytes, data.size()) {
    copy_bytes(bytes_.get() + offset_bytes, data);
  }
  ByteSpan data() const { return data_; }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  ByteSpan data_;
};

// Calls check(function) for each variant that runs here but the scalar one, which is last in every table and slow: what
// it gives is computed once.
template <class Fn, class Check>
void for_each_variant(const VariantTable<Fn>& table, Check check) {
  for (const Variant<Fn>& variant : table.variants().first(table.variants().size() - 1)) {
    if (variant.supported()) check(variant.fn);
  }
}

template <class Fn>
Fn* scalar_of(const VariantTable<Fn>& table) {
  return table.variants().back().fn;
}

// Runs `kernel` into a buffer of exactly `result_bytes`.
template <class Kernel>
std::vector<uint8_t> result_of(size_t result_bytes, Kernel kernel) {
  const std::unique_ptr<uint8_t[]> target(new uint8_t[result_bytes]);
  kernel(target.get());
  return {target.get(), target.get() + result_bytes};
}

void fuzz_nodes(ByteSpan data) {
  const size_t count = data.size() / 64;
  const auto run = [&](NodesFn* fn) {
    return result_of(32 * count, [&](uint8_t* target) { fn(target, data.data(), count); });
  };
  const std::vector<uint8_t> expected = run(scalar_of(nodes_table()));
  const auto check_in_place = [&](NodesFn* hash) {
    std::vector<uint8_t> in_place(data.begin(), data.begin() + static_cast<ptrdiff_t>(64 * count));
    hash(in_place.data(), in_place.data(), count);
    in_place.resize(32 * count);
    PIECEWORK_CHECK(in_place == expected);
  };
  check_in_place(scalar_of(nodes_table()));
  for_each_variant(nodes_table(), [&](NodesFn* hash) {
    PIECEWORK_CHECK(run(hash) == expected);
    check_in_place(hash);
  });
}

void fuzz_fr32(ByteSpan data) {
  const size_t count = data.size() / kPaddedQuadBytes;
  const auto padded = [&](const Fr32Functions* fn) {
    const PlacedCopy payload(data.first(kQuadBytes * count), 0);
    return result_of(kPaddedQuadBytes * count,
                     [&](uint8_t* target) { fn->pad(target, payload.data().data(), count); });
  };
  const auto unpadded = [&](const Fr32Functions* fn) {
    return result_of(kQuadBytes * count, [&](uint8_t* target) { fn->unpad(target, data.data(), count); });
  };
  const std::vector<uint8_t> expected_padded = padded(scalar_of(fr32_table()));
  const std::vector<uint8_t> expected_unpadded = unpadded(scalar_of(fr32_table()));
  for_each_variant(fr32_table(), [&](const Fr32Functions* variant) {
    PIECEWORK_CHECK(padded(variant) == expected_padded);
    PIECEWORK_CHECK(unpadded(variant) == expected_unpadded);
  });
}

void fuzz_granules(ByteSpan data) {
  const size_t count = data.size() / kGranuleBytes;
  const PlacedCopy payload(data.first(kGranuleBytes * count), data.size() % 16);
  const auto run = [&](GranulesFn* fn) {
    return result_of(32 * count, [&](uint8_t* target) { fn(target, payload.data().data(), count); });
  };
  const std::vector<uint8_t> expected = run(scalar_of(granules_table()));
  for_each_variant(granules_table(), [&](GranulesFn* hash) { PIECEWORK_CHECK(run(hash) == expected); });
}

// Messages of lengths that `data` itself says.
std::vector<ByteSpan> cut_messages(ByteSpan data) {
  std::vector<ByteSpan> messages;
  for (ByteSpan rest = data; !rest.empty();) {
    const size_t length = std::min<size_t>(rest.size(), size_t{rest[0]} * (1 + rest.size() % 5));
    messages.push_back(rest.first(length));
    rest = rest.subspan(std::max<size_t>(length, 1));
  }
  return messages;
}

// Each message in two calls where `cut` says so.
std::vector<Digest32> digests_by(ManyFn* fn, std::span<const ByteSpan> messages, uint8_t cut) {
  std::vector<Sha256> streams(messages.size());
  std::vector<Digest32> digests(messages.size());
  std::vector<HashJob> first, second;
  for (size_t i = 0; i < messages.size(); ++i) {
    const size_t at = (cut + i) % 3 == 0 ? messages[i].size() * cut / 255 : 0;
    if (at != 0) first.push_back({.data = messages[i].data(), .data_bytes = at, .stream = &streams[i]});
    second.push_back({.data = messages[i].data() + at,
                      .data_bytes = messages[i].size() - at,
                      .digest = digests[i].data(),
                      .stream = at != 0 ? &streams[i] : nullptr});
  }
  fn(first);
  fn(second);
  return digests;
}

void fuzz_many(ByteSpan data, uint8_t cut) {
  const std::vector<ByteSpan> messages = cut_messages(data);
  const std::vector<Digest32> expected = digests_by(scalar_of(many_table()), messages, cut);
  for_each_variant(many_table(), [&](ManyFn* hash) { PIECEWORK_CHECK(digests_by(hash, messages, cut) == expected); });
}

void fuzz_stream(ByteSpan data) {
  const auto run = [&](StreamFn* compress) {
    Sha256State message = initial_state();
    append_bytes(message, data, compress);
    Digest32 digest;
    finish_message(digest.data(), message, compress);
    return digest;
  };
  const Digest32 expected = run(scalar_of(stream_table()));
  for_each_variant(stream_table(), [&](StreamFn* compress) { PIECEWORK_CHECK(run(compress) == expected); });
}

void fuzz_checksums(ByteSpan data) {
  PIECEWORK_CHECK(is_all_zero(data) == is_all_zero_scalar(data));
  PIECEWORK_CHECK(crc32c(0, data) == crc32c_scalar(0, data));
}

}  // namespace
}  // namespace piecework::kernels

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  using namespace piecework::kernels;
  if (input_bytes < 2) return 0;
  const PlacedCopy copy({input + 2, input_bytes - 2}, input[0] % 64);
  switch (input[0] / 64) {
    case 0:
      fuzz_nodes(copy.data());
      fuzz_checksums(copy.data());
      break;
    case 1:
      fuzz_fr32(copy.data());
      fuzz_granules(copy.data());
      break;
    case 2:
      fuzz_many(copy.data(), input[1]);
      break;
    default:
      fuzz_stream(copy.data());
  }
  return 0;
}
