// Which descriptors files that wait for a disk may hold. What is read of them: cli.cold, engine/pack_faults_test.cc.
#include "engine/piece/cold_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <limits>

#include "io/limits.h"

namespace piecework::engine {
namespace {

TEST(ColdDescriptorsTest, HalfOfTheLimitAndALastFewForEachRun) {
  const int64_t all = ColdDescriptors::take(std::numeric_limits<int64_t>::max());
  EXPECT_GT(all, 0);
  EXPECT_LE(all, static_cast<int64_t>(io::open_file_limit() / 2));
  EXPECT_FALSE(ColdDescriptors::try_take_one());
  const int64_t few = ColdDescriptors::take(all);  // another run gets on
  EXPECT_GT(few, 0);
  EXPECT_LT(few, all);
  ColdDescriptors::give_back(few);
  EXPECT_FALSE(ColdDescriptors::try_take_one());
  ColdDescriptors::give_back(1);
  EXPECT_TRUE(ColdDescriptors::try_take_one());
  EXPECT_FALSE(ColdDescriptors::try_take_one());
  ColdDescriptors::give_back(all);
}

TEST(ColdDescriptorsTest, ADescriptorThatCountsIsGivenBackWhenItCloses) {
  const auto open_null = [] { return io::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); };
  const int64_t all = ColdDescriptors::take(std::numeric_limits<int64_t>::max());
  CountedFd late(open_null());
  EXPECT_FALSE(late.count());
  ColdDescriptors::give_back(1);
  {
    CountedFd first(open_null());
    EXPECT_TRUE(first.count());
    CountedFd moved(std::move(first));
    EXPECT_FALSE(late.count());
    late = std::move(moved);
    EXPECT_FALSE(ColdDescriptors::try_take_one());
  }
  EXPECT_FALSE(ColdDescriptors::try_take_one());
  late.reset();
  EXPECT_TRUE(ColdDescriptors::try_take_one());
  ColdDescriptors::give_back(all);
}

}  // namespace
}  // namespace piecework::engine
