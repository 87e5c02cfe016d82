// Not a parser: a planted bug, so that a fuzzer that finds nothing is known to be able to. tools/dev/fuzz runs one
// program for each function below first, and each must be caught for what it is.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace {

[[maybe_unused]] volatile uint8_t seen;

// A length that the input states is believed.
[[maybe_unused]] void believe_length(uint8_t stated_bytes) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[32]());
  seen = copy[stated_bytes];
}

[[maybe_unused]] void take_memory(uint8_t stated_mib) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[static_cast<size_t>(stated_mib) << 20]);
  seen = copy[0];
}

[[maybe_unused]] void run_without_end(uint8_t step) {
  for (seen = 1; seen != 0;) seen = static_cast<uint8_t>(seen + 2 * (step & 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_size_bytes) {
  constexpr char kMagic[] = {'p', 'w', 'r', 'k'};
  if (data_size_bytes <= sizeof kMagic || std::memcmp(data, kMagic, sizeof kMagic) != 0) return 0;
  PIECEWORK_CANARY(data[sizeof kMagic]);
  return 0;
}
