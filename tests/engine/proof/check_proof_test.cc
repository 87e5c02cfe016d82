// Proofs of packed files in process: right ones are right, and no single bit of proof or data can be another one.
//
// PIECEWORK_PROOF_CASES=N checks N random right proofs and N changed ones (ctest -L slow); few otherwise.
#include "engine/proof/check_proof.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <random>
#include <string>

#include "engine/proof/build_proof.h"
#include "tests/support/memory_data.h"
#include "tests/support/run_command.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

using piecework::testing::MemoryData;
using piecework::testing::TempDir;

size_t case_count() {
  const char* count = std::getenv("PIECEWORK_PROOF_CASES");
  return count == nullptr ? 40 : std::strtoull(count, nullptr, 10);
}

class CheckProofTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr size_t kSizes[] = {0, 1, 126, 127, 255, 256, 257, 1024, 1025, 5000};

  void SetUp() override {
    std::filesystem::create_directories(temp_ / "source/d/e");
    for (const size_t size : kSizes) {
      testing::write_deterministic_file(temp_ / ("source/d/e/" + std::to_string(size)), std::to_string(size), size);
    }
    const auto packed = testing::run_piecework({"pack", temp_ / "source", "--out", temp_ / "out", "--profile",
                                                GetParam(), "--chunk-size", "256", "--max-links", "3"});
    ASSERT_EQ(packed.exit_code, 0) << packed.standard_error;
  }

  std::vector<uint8_t> prove(size_t size, std::optional<ProofRange> range = {}) const {
    DirectoryLocator locator({temp_ / "out"});
    const auto built = build_proof({"d/e/" + std::to_string(size), range}, locator);
    EXPECT_TRUE(built.has_value()) << built.error().message;
    return built ? built->bytes : std::vector<uint8_t>();
  }
  static MemoryData data_of(size_t size, std::optional<ProofRange> range = {}) {
    std::vector<uint8_t> bytes = testing::deterministic_bytes(std::to_string(size), size);
    if (!range) return MemoryData(bytes);
    return MemoryData({bytes.begin() + static_cast<ptrdiff_t>(range->begin_bytes),
                       bytes.begin() + static_cast<ptrdiff_t>(range->end_bytes)});
  }

  // The seal is there for damage: what a proof shows does not rest on it.
  static void reseal(std::vector<uint8_t>& proof) {
    proof.resize(proof.size() - kProofSealBytes);
    seal_proof(proof);
  }

  TempDir temp_;
};
INSTANTIATE_TEST_SUITE_P(Profiles, CheckProofTest, ::testing::Values("unixfs-v1-2025", "unixfs-v0-2015"),
                         [](const auto& profile) { return std::string(profile.param).substr(7, 2); });

TEST_P(CheckProofTest, SaysYesToWhatIsRightAndTellsWhatItIs) {
  for (const size_t size : kSizes) {
    MemoryData data = data_of(size);
    const auto checked = check_proof(prove(size), data);
    ASSERT_TRUE(checked.has_value()) << checked.error().message;
    ASSERT_EQ(checked->items.size(), 1u);
    EXPECT_EQ(checked->items[0].path, "d/e/" + std::to_string(size));
    EXPECT_EQ(checked->piece_cids_v2.size(), 1u);
    EXPECT_EQ(checked->items[0].piece_cid_v2, checked->piece_cids_v2[0]);
  }
}

TEST_P(CheckProofTest, MakesNoProofThatIsTooLarge) {
  DirectoryLocator locator({temp_ / "out"});
  const size_t proof_bytes = build_proof({"d", {}}, locator)->bytes.size();
  EXPECT_TRUE(build_proof({"d", {}, proof_bytes}, locator).has_value());
  for (const size_t smaller : {proof_bytes - 1, proof_bytes / 2, size_t{1}}) {
    const auto refused = build_proof({"d", {}, smaller}, locator);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("'d' takes more than " + std::to_string(smaller)), std::string::npos)
        << refused.error().message;
  }
}

TEST_P(CheckProofTest, SaysNoToTheProofOfAnotherFile) {
  for (const size_t size : kSizes) {
    MemoryData data = data_of(size == 0 ? 1 : 0);
    EXPECT_FALSE(check_proof(prove(size), data).has_value());
  }
}

TEST_P(CheckProofTest, SaysNoWhereAnyByteIsAnother) {
  const ProofRange range{200, 700};
  const std::vector<uint8_t> proof = prove(1025, range);
  MemoryData data = data_of(1025, range);
  ASSERT_TRUE(check_proof(proof, data).has_value());
  for (size_t at = 0; at < proof.size(); ++at) {
    std::vector<uint8_t> changed = proof;
    changed[at] ^= static_cast<uint8_t>(1u << at % 8);
    EXPECT_FALSE(check_proof(changed, data).has_value()) << at;
    if (at >= proof.size() - kProofSealBytes) continue;
    reseal(changed);
    EXPECT_FALSE(check_proof(changed, data).has_value()) << "sealed, " << at;
  }
  for (size_t at = 0; at < data.bytes().size(); ++at) {
    data.bytes()[at] ^= 1;
    EXPECT_FALSE(check_proof(proof, data).has_value()) << at;
    data.bytes()[at] ^= 1;
  }
}

TEST_P(CheckProofTest, SaysNoWhereItIsCutAtAnyByteOrLonger) {
  const std::vector<uint8_t> proof = prove(1025);
  MemoryData data = data_of(1025);
  const size_t body_bytes = proof.size() - kProofSealBytes;
  for (size_t length = 0; length <= proof.size(); ++length) {
    std::vector<uint8_t> changed(proof.begin(), proof.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(check_proof(changed, data).has_value(), length == proof.size()) << length;
    seal_proof(changed);
    EXPECT_EQ(check_proof(changed, data).has_value(), length == body_bytes) << "sealed, " << length;
  }
  for (size_t length = 0; length < data.bytes().size(); ++length) {
    std::vector<uint8_t> bytes = data.bytes();
    bytes.resize(length);
    MemoryData cut(bytes);
    EXPECT_FALSE(check_proof(proof, cut).has_value()) << length << " bytes of data";
  }
}

TEST_P(CheckProofTest, RandomItemsRangesAndChanges) {
  std::mt19937_64 random(case_count());
  for (size_t i = 0; i < case_count(); ++i) {
    const size_t size = kSizes[random() % std::size(kSizes)];
    std::optional<ProofRange> range;
    if (size > 1 && random() % 2 == 0) {
      const uint64_t begin_bytes = random() % (size - 1);
      range = {begin_bytes, begin_bytes + 1 + random() % (size - begin_bytes)};
    }
    std::vector<uint8_t> proof = prove(size, range);
    MemoryData data = data_of(size, range);
    ASSERT_TRUE(check_proof(proof, data).has_value()) << i;
    std::vector<uint8_t>& changed = random() % 4 == 0 && !data.bytes().empty() ? data.bytes() : proof;
    const size_t place = random() % changed.size();
    changed[place] ^= static_cast<uint8_t>(1 + random() % 255);
    EXPECT_FALSE(check_proof(proof, data).has_value()) << i << ", byte " << place;
    if (&changed == &proof && place >= proof.size() - kProofSealBytes) continue;
    reseal(proof);
    EXPECT_FALSE(check_proof(proof, data).has_value()) << i << ", sealed, byte " << place;
  }
}

TEST_P(CheckProofTest, SaysNoWhereAnyByteOfAProofOverPiecesIsAnother) {
  const auto packed = testing::run_piecework({"pack", temp_ / "source", "--out", temp_ / "small", "--profile",
                                              GetParam(), "--chunk-size", "256", "--max-links", "3", "--piece-size",
                                              "4KiB"});
  ASSERT_EQ(packed.exit_code, 0) << packed.standard_error;
  DirectoryLocator locator({temp_ / "small"});
  const auto built = build_proof({"d", {}}, locator);
  ASSERT_TRUE(built.has_value()) << built.error().message;
  EXPECT_GT(built->piece_cids_v2.size(), 2u);
  auto data = FileTreeData::open(temp_ / "source/d");
  ASSERT_TRUE(check_proof(built->bytes, *data).has_value());
  for (size_t at = 0; at + kProofSealBytes < built->bytes.size(); at += 3) {
    std::vector<uint8_t> changed = built->bytes;
    changed[at] ^= static_cast<uint8_t>(1u << at % 8);
    reseal(changed);
    EXPECT_FALSE(check_proof(changed, *data).has_value()) << at;
  }
}

}  // namespace
}  // namespace piecework::engine
