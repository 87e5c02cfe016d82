// A set that is filled, sealed and asked.
#include "engine/store/cid_set.h"

#include <gtest/gtest.h>

#include "kernels/base/bytes.h"

namespace piecework::engine {
namespace {

TEST(CidSet, HoldsWhatWasAdded) {
  CidSet set;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10'000; i += 2) set.add(as_bytes(std::to_string(i)));
  }
  set.seal();
  EXPECT_EQ(set.size(), 5'000u);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(set.contains(as_bytes(std::to_string(i))), i % 2 == 0) << i;
}

TEST(CidSet, OfNothing) {
  CidSet set;
  EXPECT_FALSE(set.contains({}));
  set.seal();
  EXPECT_FALSE(set.contains({}));
  EXPECT_EQ(set.size(), 0u);
}

}  // namespace
}  // namespace piecework::engine
