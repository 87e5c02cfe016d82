// Listing and forcing variants: what is forced is active, what cannot run is refused and changes nothing.
#include "kernels/variant.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

std::vector<VariantInfo> listed() {
  std::vector<VariantInfo> variants(list_variants({}));
  EXPECT_EQ(list_variants(variants), variants.size());
  return variants;
}

std::string active_name(std::string_view kernel) {
  std::string name;
  for (const VariantInfo& variant : listed()) {
    if (variant.kernel != kernel || !variant.active) continue;
    EXPECT_TRUE(name.empty()) << "two active variants of " << kernel;
    name = variant.name;
  }
  return name;
}

// Leaves the choice as it was, so that a run under PIECEWORK_FORCE_VARIANT stays one.
class VariantChoice : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const VariantInfo& variant : listed()) {
      if (variant.active) before_.push_back(variant);
    }
  }
  void TearDown() override {
    for (const VariantInfo& variant : before_) EXPECT_TRUE(force_variant(variant.kernel, variant.name));
  }
  std::vector<VariantInfo> before_;
};

constexpr std::string_view kKernels[] = {"sha256_nodes", "sha256_many", "sha256_stream", "fr32", "granules"};

TEST_F(VariantChoice, EveryKernelIsListedBestFirstWithAScalarLast) {
  for (const std::string_view kernel : kKernels) {
    std::vector<VariantInfo> variants;
    for (const VariantInfo& variant : listed()) {
      if (variant.kernel == kernel) variants.push_back(variant);
    }
    ASSERT_FALSE(variants.empty()) << kernel;
    EXPECT_EQ(variants.back().name, "scalar") << kernel;
    EXPECT_TRUE(variants.back().supported) << kernel;
  }
}

TEST_F(VariantChoice, AutoIsTheFirstSupported) {
  ASSERT_TRUE(force_variant("", "auto"));
  for (const std::string_view kernel : kKernels) {
    for (const VariantInfo& variant : listed()) {
      if (variant.kernel != kernel || !variant.supported) continue;
      EXPECT_TRUE(variant.active) << kernel << ' ' << variant.name;
      break;
    }
  }
}

TEST_F(VariantChoice, AForcedVariantIsActive) {
  for (const VariantInfo& variant : listed()) {
    EXPECT_EQ(force_variant(variant.kernel, variant.name), variant.supported) << variant.kernel << ' ' << variant.name;
    if (variant.supported) {
      EXPECT_EQ(active_name(variant.kernel), variant.name);
    }
  }
}

TEST_F(VariantChoice, ScalarForEveryKernelAtOnce) {
  ASSERT_TRUE(force_variant("", "scalar"));
  for (const std::string_view kernel : kKernels) EXPECT_EQ(active_name(kernel), "scalar");
  EXPECT_EQ(nodes_table().active().name, "scalar");
}

TEST_F(VariantChoice, UnknownNamesAreRefusedAndChangeNothing) {
  ASSERT_TRUE(force_variant("", "scalar"));
  EXPECT_FALSE(force_variant("", "avx1024"));
  EXPECT_FALSE(force_variant("sha256_nodes", "avx1024"));
  EXPECT_FALSE(force_variant("sha512_nodes", "scalar"));
  EXPECT_FALSE(force_variant("fr32", "shani"));
  EXPECT_FALSE(force_variant("", ""));
  EXPECT_FALSE(force_variant("sha512_nodes", "auto"));
  for (const std::string_view kernel : kKernels) EXPECT_EQ(active_name(kernel), "scalar");
}

TEST_F(VariantChoice, ASpecificationNamesKernels) {
  ASSERT_TRUE(force_variants("auto").ok);
  ASSERT_TRUE(force_variants("sha256_nodes=scalar,fr32=scalar").ok);
  EXPECT_EQ(active_name("sha256_nodes"), "scalar");
  EXPECT_EQ(active_name("fr32"), "scalar");
}

TEST_F(VariantChoice, ASpecificationIsTakenWholeOrNotAtAll) {
  ASSERT_TRUE(force_variants("scalar").ok);
  const std::string fr32_before = active_name("fr32");
  for (const char* wrong : {"auto,fr32=nothing", "auto,", "", "fr32=", "=scalar,nothing", "auto,fr32=scalar=scalar"}) {
    const ForceResult result = force_variants(wrong);
    EXPECT_FALSE(result.ok) << wrong;
    EXPECT_EQ(active_name("fr32"), fr32_before) << wrong;
  }
  const std::string refused = force_variants("fr32=nothing").refused;
  EXPECT_NE(refused.find("fr32=nothing"), std::string::npos) << refused;
  EXPECT_NE(refused.find("scalar"), std::string::npos) << refused;
}

TEST_F(VariantChoice, ALongRefusalIsCut) {
  const std::string refused = force_variants(std::string(1000, 'x')).refused;
  EXPECT_EQ(refused, std::string(refused.size(), 'x'));
  EXPECT_EQ(refused.size(), sizeof(ForceResult::refused) - 1);
}

}  // namespace
}  // namespace piecework::kernels
