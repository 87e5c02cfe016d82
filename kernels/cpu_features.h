// Which instruction sets this CPU has and this operating system saves: CPUID together with XCR0, read once.
//
// A CPUID bit alone is not enough: where the operating system (or a hypervisor) does not save the wide registers, XCR0
// lacks their bits and the instruction faults. Each feature here is what one group of kernel files is compiled for
// (kernels/CMakeLists.txt), so one bit may stand for several CPUID bits.
#pragma once

#include <cstdint>

namespace piecework::kernels {

enum CpuFeature : uint32_t {
  kCpuNone = 0,
  // SHA, SSE4.1, SSSE3; AVX too, because those kernels begin with vzeroupper (SHA-NI has legacy SSE encodings only, and
  // dirty upper register halves make it a hundred times slower on some CPUs).
  kCpuShaNi = 1U << 0,
  kCpuAvx2 = 1U << 1,    // AVX2 and BMI2
  kCpuAvx512 = 1U << 2,  // AVX-512 F, BW, VL, DQ: every server CPU since Skylake-SP, with SHA-NI or without
};

// The raw words that detection looks at; separate so that a test can make up CPUs.
struct CpuidWords {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;
  uint64_t xcr0 = 0;  // 0 where leaf 1 does not report OSXSAVE
};

// CpuFeature bits that `words` amount to.
uint32_t features_from_cpuid(const CpuidWords& words) noexcept;

// CpuFeature bits of this machine. Safe for concurrent use.
uint32_t cpu_features() noexcept;

}  // namespace piecework::kernels
