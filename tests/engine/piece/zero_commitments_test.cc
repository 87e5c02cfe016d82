// Zero commitments against the table of vectors/public/zerocomm.json (equal to go-data-segment's zerocomm.bin).
#include "engine/piece/zero_commitments.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/golden.h"

namespace piecework::engine {
namespace {

TEST(ZeroCommitmentsTest, EqualThePublishedTable) {
  const nlohmann::json rows = testing::load_vectors("public/zerocomm.json");
  ASSERT_EQ(rows.size(), 64u);
  for (const nlohmann::json& row : rows) {
    const unsigned height = row.at("level").get<unsigned>();
    EXPECT_EQ(to_hex(zero_commitment(height)), row.at("node").get<std::string>()) << "height " << height;
  }
}

}  // namespace
}  // namespace piecework::engine
