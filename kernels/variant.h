// Variants as values: every kernel is a table of {name, needed CPU features, function}, best first.
//
// Tests, benches and `piecework info` iterate over the same tables; a forced choice that is unknown or not supported by
// this CPU is refused, never replaced in silence. Kernels read no environment: the mains read PIECEWORK_FORCE_VARIANT.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace piecework::kernels {

// What one entry of a table looks like from outside, for printing and tests.
struct VariantInfo {
  std::string_view kernel;  // "sha256_nodes", "sha256_many", "sha256_stream", "fr32", "granules"
  std::string_view name;    // "scalar", "shani", "avx2", "avx512"
  bool supported = false;   // by this CPU and operating system
  bool active = false;      // chosen now
};

// Fills `target` with the entries of every table, in order of preference; returns how many there are.
size_t list_variants(std::span<VariantInfo> target) noexcept;

// Forces `name` for `kernel`, or for every kernel that has a variant of this name where `kernel` is empty. "auto"
// undoes it. Returns false, and changes nothing, where the name is unknown or this CPU cannot run it. Not thread-safe:
// call at start.
bool force_variant(std::string_view kernel, std::string_view name) noexcept;

// Applies "avx2" or "sha256_nodes=avx2,fr32=scalar" (the form of PIECEWORK_FORCE_VARIANT). On failure names what was
// refused and what there is.
struct ForceResult {
  bool ok = true;
  char refused[64] = {};
};
ForceResult force_variants(std::string_view specification) noexcept;

}  // namespace piecework::kernels
