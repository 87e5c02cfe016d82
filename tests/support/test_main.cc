// main() of every test program: GoogleTest plus two variables of the environment about instruction-set variants.
//
// PIECEWORK_FORCE_VARIANT=avx2 (or sha256_nodes=avx2,...): the whole program runs on this variant; one that this
// machine cannot run ends it with 2, never with a silent replacement. PIECEWORK_REQUIRE_VARIANTS=scalar,shani,avx2:
// these must be supported here, and a skipped test that names one is a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/variant.h"

namespace piecework::testing {
namespace {

constexpr int kExitUnusable = 2;

std::vector<std::string> required_variants() {
  const char* text = std::getenv("PIECEWORK_REQUIRE_VARIANTS");
  std::vector<std::string> names;
  std::istringstream list(text == nullptr ? "" : text);
  for (std::string name; std::getline(list, name, ',');) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

bool is_supported(std::string_view name) {
  std::array<kernels::VariantInfo, 64> table{};
  const size_t count = std::min(table.size(), kernels::list_variants(table));
  for (size_t i = 0; i < count; ++i) {
    if (table[i].name == name && table[i].supported) return true;
  }
  return false;
}

bool variants_are_usable(const std::vector<std::string>& required) {
  for (const std::string& name : required) {
    if (is_supported(name)) continue;
    std::cerr << "PIECEWORK_REQUIRE_VARIANTS: '" << name << "' does not run on this machine\n";
    return false;
  }
  const char* forced = std::getenv("PIECEWORK_FORCE_VARIANT");
  const kernels::ForceResult result = forced == nullptr ? kernels::ForceResult{} : kernels::force_variants(forced);
  if (!result.ok) std::cerr << "PIECEWORK_FORCE_VARIANT: '" << result.refused << "' was refused\n";
  return result.ok;
}

// Whether the test's name has `variant` as a word: "Fr32/VariantTest.PadsZeros/avx2", not "avx2" in "avx2x".
bool names_variant(const std::string& test_name, const std::string& variant) {
  for (size_t start = test_name.find(variant); start != std::string::npos; start = test_name.find(variant, start + 1)) {
    const size_t end = start + variant.size();
    const bool starts_word = start == 0 || std::isalnum(static_cast<unsigned char>(test_name[start - 1])) == 0;
    const bool ends_word = end == test_name.size() || std::isalnum(static_cast<unsigned char>(test_name[end])) == 0;
    if (starts_word && ends_word) return true;
  }
  return false;
}

// Remembers skipped tests of required variants.
class SkipGuard : public ::testing::EmptyTestEventListener {
 public:
  explicit SkipGuard(std::vector<std::string> required) : required_(std::move(required)) {}
  int forbidden_skip_count() const { return forbidden_skip_count_; }

 private:
  void OnTestEnd(const ::testing::TestInfo& test) override {
    if (!test.result()->Skipped()) return;
    const std::string name = std::string(test.test_suite_name()) + '.' + test.name();
    for (const std::string& variant : required_) {
      if (!names_variant(name, variant)) continue;
      std::cerr << "skipped, but " << variant << " is required: " << name << '\n';
      ++forbidden_skip_count_;
    }
  }

  std::vector<std::string> required_;
  int forbidden_skip_count_ = 0;
};

}  // namespace

int run_tests() {
  const std::vector<std::string> required = required_variants();
  if (!variants_are_usable(required)) return kExitUnusable;
  auto* guard = new SkipGuard(required);  // owned by GoogleTest
  ::testing::UnitTest::GetInstance()->listeners().Append(guard);
  const int failed = RUN_ALL_TESTS();
  return failed != 0 || guard->forbidden_skip_count() > 0 ? 1 : 0;
}

}  // namespace piecework::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return piecework::testing::run_tests();
}
