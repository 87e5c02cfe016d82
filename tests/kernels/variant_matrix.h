// One suite for every variant of a kernel: a test parameterised over the kernel's table, skipped where this CPU cannot
// run the variant. tests/support/test_main.cc makes such a skip a failure for the variants in
// PIECEWORK_REQUIRE_VARIANTS.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "kernels/variant_table.h"

namespace piecework::kernels {

// Found by GoogleTest, which would print the bytes of the object.
template <class Fn>
void PrintTo(const Variant<Fn>& variant, std::ostream* out) {
  *out << variant.name;
}

template <class Fn>
class VariantTest : public ::testing::TestWithParam<Variant<Fn>> {
 protected:
  void SetUp() override {
    if (!this->GetParam().supported()) GTEST_SKIP() << this->GetParam().name << " does not run on this CPU";
  }
  Fn* kernel() const { return this->GetParam().fn; }
};

// For INSTANTIATE_TEST_SUITE_P: the parameters and their names.
template <class Fn>
auto every_variant(const VariantTable<Fn>& table) {
  return ::testing::ValuesIn(std::vector<Variant<Fn>>(table.variants().begin(), table.variants().end()));
}
inline constexpr auto kVariantName = [](const auto& info) { return std::string(info.param.name); };

}  // namespace piecework::kernels
