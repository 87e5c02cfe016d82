// The table behind each kernel: its variants, best first, and which one is active. See variant.h for the public face.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu_features.h"

namespace piecework::kernels {

template <class Fn>
struct Variant {
  std::string_view name;  // stable: used by PIECEWORK_FORCE_VARIANT, tests and benches
  uint32_t required;      // CpuFeature bits
  Fn* fn;                 // a function, or a constant struct of functions that belong together

  [[nodiscard]] bool supported() const noexcept { return (cpu_features() & required) == required; }
};

// What list_variants and force_variant need to know about a table, whatever its functions look like.
// Not thread-safe: force() and force_auto() belong to the start of a program.
class VariantTableBase {
 public:
  [[nodiscard]] std::string_view kernel() const noexcept { return kernel_; }
  [[nodiscard]] virtual size_t count() const noexcept = 0;
  [[nodiscard]] virtual std::string_view name(size_t index) const noexcept = 0;
  [[nodiscard]] virtual bool supported(size_t index) const noexcept = 0;
  [[nodiscard]] virtual size_t active_index() const noexcept = 0;
  virtual void force(size_t index) noexcept = 0;
  virtual void force_auto() noexcept = 0;

 protected:
  explicit constexpr VariantTableBase(std::string_view kernel) noexcept : kernel_(kernel) {}
  ~VariantTableBase() = default;

 private:
  std::string_view kernel_;
};

// REQUIRES: `variants` outlives the table, and its last entry needs no CPU feature.
template <class Fn>
class VariantTable final : public VariantTableBase {
 public:
  constexpr VariantTable(std::string_view kernel, std::span<const Variant<Fn>> variants) noexcept
      : VariantTableBase(kernel), variants_(variants) {}

  // The variant to run now. Safe for concurrent use: threads that meet an empty choice all make the same one.
  [[nodiscard]] const Variant<Fn>& active() const noexcept {
    const Variant<Fn>* chosen = active_.load(std::memory_order_relaxed);
    if (chosen == nullptr) [[unlikely]] {
      chosen = best();
      active_.store(chosen, std::memory_order_relaxed);
    }
    return *chosen;
  }

  [[nodiscard]] std::span<const Variant<Fn>> variants() const noexcept { return variants_; }
  [[nodiscard]] size_t count() const noexcept override { return variants_.size(); }
  [[nodiscard]] std::string_view name(size_t index) const noexcept override { return variants_[index].name; }
  [[nodiscard]] bool supported(size_t index) const noexcept override { return variants_[index].supported(); }
  [[nodiscard]] size_t active_index() const noexcept override {
    return static_cast<size_t>(&active() - variants_.data());
  }
  void force(size_t index) noexcept override { active_.store(&variants_[index], std::memory_order_relaxed); }
  void force_auto() noexcept override { active_.store(best(), std::memory_order_relaxed); }

 private:
  const Variant<Fn>* best() const noexcept {
    const Variant<Fn>* candidate = variants_.data();
    while (!candidate->supported()) ++candidate;
    return candidate;
  }

  std::span<const Variant<Fn>> variants_;
  mutable std::atomic<const Variant<Fn>*> active_{nullptr};  // null: not chosen yet
};

}  // namespace piecework::kernels
