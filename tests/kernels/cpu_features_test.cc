// Detection from made-up CPUID words, and agreement with the compiler's own detection on this machine.
#include "kernels/cpu_features.h"

#include <gtest/gtest.h>

namespace piecework::kernels {
namespace {

// A server CPU with everything, under an operating system that saves everything (bits as in the Intel SDM).
constexpr CpuidWords kEverything{
    .leaf1_ecx = (1U << 9) | (1U << 19) | (1U << 27) | (1U << 28),
    .leaf7_ebx = (1U << 5) | (1U << 8) | (1U << 16) | (1U << 17) | (1U << 29) | (1U << 30) | (1U << 31),
    .xcr0 = 0xE7,
};

TEST(CpuFeatures, EverythingGivesEveryFeature) {
  EXPECT_EQ(features_from_cpuid(kEverything), kCpuShaNi | kCpuAvx2 | kCpuAvx512);
  EXPECT_EQ(features_from_cpuid({}), kCpuNone);
}

TEST(CpuFeatures, RegistersThatTheSystemDoesNotSaveAreNotUsed) {
  CpuidWords words = kEverything;
  words.xcr0 = 0x07;  // no AVX-512 state: a hypervisor or kernel that masks it
  EXPECT_EQ(features_from_cpuid(words), kCpuShaNi | kCpuAvx2);
  for (const uint64_t partial : {0x27u, 0x67u, 0xA7u, 0xC7u}) {
    words.xcr0 = partial;
    EXPECT_EQ(features_from_cpuid(words), kCpuShaNi | kCpuAvx2) << partial;
  }
  for (const uint64_t without_ymm : {0x00u, 0x01u, 0x03u, 0xE3u}) {
    words.xcr0 = without_ymm;
    EXPECT_EQ(features_from_cpuid(words), kCpuNone) << without_ymm;
  }
}

TEST(CpuFeatures, EveryCpuidBitIsNeeded) {
  const auto without = [](uint32_t leaf1_ecx, uint32_t leaf7_ebx) {
    CpuidWords words = kEverything;
    words.leaf1_ecx &= ~leaf1_ecx;
    words.leaf7_ebx &= ~leaf7_ebx;
    return features_from_cpuid(words);
  };
  EXPECT_EQ(without(1U << 27, 0), kCpuNone) << "OSXSAVE";
  EXPECT_EQ(without(1U << 28, 0), kCpuNone) << "AVX";
  EXPECT_EQ(without(1U << 9, 0), kCpuAvx2 | kCpuAvx512) << "SSSE3";
  EXPECT_EQ(without(1U << 19, 0), kCpuAvx2 | kCpuAvx512) << "SSE4.1";
  EXPECT_EQ(without(0, 1U << 29), kCpuAvx2 | kCpuAvx512) << "SHA";
  EXPECT_EQ(without(0, 1U << 5), kCpuShaNi) << "AVX2";
  EXPECT_EQ(without(0, 1U << 8), kCpuShaNi) << "BMI2";
  for (const int bit : {16, 17, 30, 31}) EXPECT_EQ(without(0, 1U << bit), kCpuShaNi | kCpuAvx2) << bit;
}

TEST(CpuFeatures, AgreeWithTheCompilerOnThisMachine) {
  const uint32_t features = cpu_features();
  EXPECT_EQ((features & kCpuAvx2) != 0, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"));
  EXPECT_EQ((features & kCpuAvx512) != 0, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"));
}

}  // namespace
}  // namespace piecework::kernels
