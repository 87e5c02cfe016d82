// murmur3-x64-64 against the golden hashes of names.
#include "engine/codec/murmur3.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace piecework::engine {
namespace {

TEST(Murmur3, EqualsTheGoldenHashes) {
  for (const auto& vector : testing::load_vectors("public/murmur3-x64-64.json")) {
    EXPECT_EQ(fmt::format("{:016x}", murmur3_x64_64(vector["name"].get<std::string>())), vector["h1"])
        << vector["name"];
  }
}

}  // namespace
}  // namespace piecework::engine
