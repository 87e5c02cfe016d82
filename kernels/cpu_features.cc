// CPUID and XGETBV. Bit numbers: Intel SDM volume 2A (CPUID) and volume 1, chapter 13 (XCR0).
#include "kernels/cpu_features.h"

#include <cpuid.h>

namespace piecework::kernels {
namespace {

constexpr uint32_t kLeaf1EcxSsse3 = 1U << 9;
constexpr uint32_t kLeaf1EcxSse41 = 1U << 19;
constexpr uint32_t kLeaf1EcxOsxsave = 1U << 27;
constexpr uint32_t kLeaf1EcxAvx = 1U << 28;
constexpr uint32_t kLeaf7EbxAvx2 = 1U << 5;
constexpr uint32_t kLeaf7EbxBmi2 = 1U << 8;
constexpr uint32_t kLeaf7EbxAvx512F = 1U << 16;
constexpr uint32_t kLeaf7EbxAvx512Dq = 1U << 17;
constexpr uint32_t kLeaf7EbxSha = 1U << 29;
constexpr uint32_t kLeaf7EbxAvx512Bw = 1U << 30;
constexpr uint32_t kLeaf7EbxAvx512Vl = 1U << 31;
constexpr uint64_t kXcr0Avx = 0x06;     // XMM and YMM state
constexpr uint64_t kXcr0Avx512 = 0xE0;  // opmask, upper halves of ZMM0-15, ZMM16-31

constexpr bool has(uint64_t word, uint64_t bits) { return (word & bits) == bits; }

uint64_t read_xcr0() noexcept {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

CpuidWords read_cpuid() noexcept {
  CpuidWords words;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return words;
  words.leaf1_ecx = ecx;
  if (has(ecx, kLeaf1EcxOsxsave)) words.xcr0 = read_xcr0();
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) words.leaf7_ebx = ebx;
  return words;
}

}  // namespace

uint32_t features_from_cpuid(const CpuidWords& words) noexcept {
  uint32_t features = kCpuNone;
  const bool avx_usable = has(words.leaf1_ecx, kLeaf1EcxOsxsave | kLeaf1EcxAvx) && has(words.xcr0, kXcr0Avx);
  if (!avx_usable) return features;
  if (has(words.leaf1_ecx, kLeaf1EcxSsse3 | kLeaf1EcxSse41) && has(words.leaf7_ebx, kLeaf7EbxSha)) {
    features |= kCpuShaNi;
  }
  if (!has(words.leaf7_ebx, kLeaf7EbxAvx2 | kLeaf7EbxBmi2)) return features;
  features |= kCpuAvx2;
  constexpr uint32_t kAvx512Ebx = kLeaf7EbxAvx512F | kLeaf7EbxAvx512Dq | kLeaf7EbxAvx512Bw | kLeaf7EbxAvx512Vl;
  if (has(words.leaf7_ebx, kAvx512Ebx) && has(words.xcr0, kXcr0Avx512)) features |= kCpuAvx512;
  return features;
}

uint32_t cpu_features() noexcept {
  static const uint32_t features = features_from_cpuid(read_cpuid());
  return features;
}

}  // namespace piecework::kernels
