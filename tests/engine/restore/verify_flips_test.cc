// 1,000 single bits flipped in a finished piece: verify finds every one of them, and says where.
#include <gtest/gtest.h>

#include <random>

#include "engine/codec/piece_cid.h"
#include "engine/restore/verify.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

TEST(Verify, FindsEachOfAThousandFlippedBits) {
  const testing::TempDir dir;
  const std::string good = testing::read_file(testing::vector_path("public/many-small-dirs.unixfs-v1-2025.car"));
  testing::write_file(dir / "good.car", good);
  VerifyReport report;
  const CarFacts facts = verify_car((dir / "good.car").string(), {}, report).value();
  const std::filesystem::path piece = dir / (piece_cid_v1_text(facts.commp) + ".car");
  std::mt19937_64 random(11);
  for (int i = 0; i < 1000; ++i) {
    const size_t place = random() % good.size();
    std::string damaged = good;
    damaged[place] = static_cast<char>(damaged[place] ^ 1 << random() % 8);
    testing::write_file(piece, damaged);
    VerifyReport found;
    const auto verified = verify_car(piece.string(), {}, found);
    ASSERT_TRUE(verified) << verified.error().message;
    ASSERT_FALSE(found.ok()) << "byte " << place;
    bool names_a_block = false;
    for (const VerifyFinding& problem : found.problems.kept()) {
      EXPECT_EQ(problem.piece, piece.string());
      // The section that holds the byte is named, unless it can no longer be told where sections are.
      names_a_block = names_a_block || problem.kind == finding::kFraming ||
                      (problem.offset_bytes && *problem.offset_bytes <= place) || problem.kind == finding::kMissingRoot;
    }
    EXPECT_TRUE(names_a_block) << "byte " << place;
  }
}

}  // namespace
}  // namespace piecework::engine
