// Placement: enough different providers, owners and regions; never a second deal where the first may live.
#include "engine/deal/placement.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

PolicyProvider provider(std::string id, std::string owner, std::string region, unsigned price = 0) {
  PolicyProvider made;
  made.id = std::move(id);
  made.owner = std::move(owner);
  made.region = std::move(region);
  made.price_per_gib_epoch = AttoFil(price);
  return made;
}

DealPolicy policy_of(unsigned copies, unsigned owners, unsigned regions) {
  DealPolicy policy;
  policy.copies = copies;
  policy.owners = owners;
  policy.regions = regions;
  policy.repair_after_epochs = 1'000;
  policy.providers = {provider("t01", "acme", "eu", 5), provider("t02", "acme", "us", 1),
                      provider("t03", "bolt", "eu", 2), provider("t04", "bolt", "us", 3),
                      provider("t05", "core", "asia", 9)};
  return policy;
}

std::vector<std::string> ids(const PlacementResult& result) {
  std::vector<std::string> found;
  for (const Placement& placement : result.placements) found.push_back(placement.provider);
  return found;
}

PlacementResult place(const DealPolicy& policy, std::vector<CopyView> copies,
                      IntentReason reason = IntentReason::kNew) {
  ProviderLoad load;
  return place_copies(policy, {32 * kGiB, std::move(copies), reason}, load);
}

CopyView copy(std::string id, uint64_t slot, AttemptState attempt, DealState state, uint64_t generation = 0) {
  return {.provider = std::move(id),
          .slot = slot,
          .generation = generation,
          .deal = 100 + slot,
          .attempt = attempt,
          .state = state};
}

using Ids = std::vector<std::string>;
using A = AttemptState;
using D = DealState;

TEST(Placement, TheCheapestThatMeetThePolicy) {
  EXPECT_EQ(ids(place(policy_of(2, 1, 1), {})), (Ids{"t02", "t03"}));
  EXPECT_EQ(ids(place(policy_of(2, 2, 2), {})), (Ids{"t02", "t03"}));
  EXPECT_EQ(ids(place(policy_of(3, 3, 3), {})), (Ids{"t02", "t03", "t05"}));
  const PlacementResult three = place(policy_of(3, 1, 3), {});
  EXPECT_EQ(ids(three), (Ids{"t02", "t03", "t05"}));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(three.placements[i].slot, i);
}

TEST(Placement, WhatCannotBePlacedIsSaid) {
  const PlacementResult result = place(policy_of(2, 1, 1), {copy("t01", 0, A::kAccepted, D::kActive)});
  EXPECT_EQ(ids(result), (Ids{"t02"}));
  DealPolicy four = policy_of(4, 4, 1);
  const PlacementResult none = place(four, {});
  EXPECT_TRUE(none.placements.empty());
  EXPECT_EQ(none.unplaced_count, 4u);
  EXPECT_NE(none.why_unplaced.find("4 owners"), std::string::npos);
  DealPolicy small = policy_of(1, 1, 1);
  for (PolicyProvider& each : small.providers) each.piece_bytes_max = 16 * kGiB;
  EXPECT_EQ(place(small, {}).unplaced_count, 1u);
}

TEST(Placement, LoadIsSpreadAndBounded) {
  DealPolicy policy = policy_of(1, 1, 1);
  for (PolicyProvider& each : policy.providers) each.price_per_gib_epoch = AttoFil();
  policy.max_pieces_per_provider = 2;
  ProviderLoad load;
  for (int piece = 0; piece < 10; ++piece) {
    EXPECT_EQ(place_copies(policy, {kGiB, {}, IntentReason::kNew}, load).placements.size(), 1u);
  }
  for (const auto& [id, count] : load) EXPECT_EQ(count, 2u) << id;
  EXPECT_EQ(place_copies(policy, {kGiB, {}, IntentReason::kNew}, load).unplaced_count, 1u);
}

TEST(Placement, NothingIsPlannedTwice) {
  const DealPolicy policy = policy_of(1, 1, 1);
  for (const CopyView& there : {copy("t01", 0, A::kPlanned, D::kNone), copy("t01", 0, A::kPrepared, D::kNone),
                                copy("t01", 0, A::kSending, D::kNone), copy("t01", 0, A::kUnknown, D::kNone),
                                copy("t01", 0, A::kAccepted, D::kAccepted), copy("t01", 0, A::kAccepted, D::kPublished),
                                copy("t01", 0, A::kAccepted, D::kActive)}) {
    EXPECT_TRUE(place(policy, {there}).placements.empty());
    EXPECT_TRUE(place(policy, {there}, IntentReason::kRepair).placements.empty());
  }
}

TEST(Placement, ARefusalGoesToAnotherProviderInTheSameSlot) {
  const PlacementResult result = place(policy_of(1, 1, 1), {copy("t02", 0, A::kRejected, D::kNone)});
  ASSERT_EQ(ids(result), (Ids{"t03"}));
  EXPECT_EQ(result.placements[0].slot, 0u);
  EXPECT_EQ(result.placements[0].generation, 1u);
  EXPECT_EQ(result.placements[0].reason, IntentReason::kNew);
}

TEST(Placement, RepairReplacesWhatIsDead) {
  for (const D state : {D::kTerminated, D::kExpired, D::kProposalExpired}) {
    const std::vector<CopyView> copies = {copy("t02", 0, A::kAccepted, state),
                                          copy("t03", 1, A::kAccepted, D::kActive)};
    EXPECT_TRUE(place(policy_of(2, 1, 1), copies).placements.empty()) << "a dead copy is repaired, not planned anew";
    const PlacementResult result = place(policy_of(2, 1, 1), copies, IntentReason::kRepair);
    ASSERT_EQ(result.placements.size(), 1u);
    EXPECT_EQ(result.placements[0].provider, state == D::kExpired ? "t02" : "t04");
    EXPECT_EQ(result.placements[0].slot, 0u);
    EXPECT_EQ(result.placements[0].generation, 1u);
  }
}

TEST(Placement, WhatIsLostOrLongFaultyIsReplacedBesideIt) {
  CopyView faulty = copy("t02", 0, A::kAccepted, D::kFaulty);
  faulty.faulty_epochs = 1'000;
  EXPECT_TRUE(place(policy_of(1, 1, 1), {faulty}, IntentReason::kRepair).placements.empty());
  faulty.faulty_epochs = 1'001;
  for (const CopyView& bad : {faulty, copy("t02", 0, A::kAccepted, D::kLost)}) {
    const PlacementResult result = place(policy_of(1, 1, 1), {bad}, IntentReason::kRepair);
    ASSERT_EQ(ids(result), (Ids{"t03"}));
    EXPECT_EQ(result.placements[0].slot, 1u) << "its own slot is not free: it may come back";
    EXPECT_EQ(result.placements[0].generation, 0u);
  }
}

TEST(Placement, SuccessorsStayWithTheirProvider) {
  const DealPolicy policy = policy_of(2, 1, 1);
  std::vector<CopyView> copies = {copy("t05", 0, A::kAccepted, D::kExpiring), copy("t01", 1, A::kAccepted, D::kActive)};
  const PlacementResult result = place(policy, copies, IntentReason::kRenew);
  ASSERT_EQ(ids(result), (Ids{"t05"}));
  EXPECT_EQ(result.placements[0].generation, 1u);
  EXPECT_EQ(result.placements[0].renews, 100u);
  copies.push_back(copy("t05", 0, A::kUnknown, D::kNone, 1));
  copies.back().renews = 100;
  copies.back().deal.reset();
  EXPECT_TRUE(place(policy, copies, IntentReason::kRenew).placements.empty());
  EXPECT_TRUE(place(policy, copies, IntentReason::kRepair).placements.empty()) << "both count as one copy, not as none";
  copies.back().attempt = A::kRejected;
  const PlacementResult elsewhere = place(policy, copies, IntentReason::kRenew);
  EXPECT_EQ(ids(elsewhere), (Ids{"t02"})) << "its provider refused to renew";
  EXPECT_EQ(elsewhere.placements.at(0).generation, 2u);
  // Adopted deals have no slot yet.
  CopyView adopted = copy("t04", 0, A::kAccepted, D::kExpiring);
  adopted.slot.reset();
  const PlacementResult successor = place(policy, {adopted, copies[1]}, IntentReason::kRenew);
  ASSERT_EQ(ids(successor), (Ids{"t04"}));
  EXPECT_EQ(successor.placements[0].slot, 2u);
}

TEST(Placement, AProviderThatLeftThePolicyIsSucceededByAnother) {
  DealPolicy policy = policy_of(1, 1, 1);
  std::vector<CopyView> copies = {copy("t09", 0, A::kAccepted, D::kExpiring)};
  EXPECT_EQ(ids(place(policy, copies, IntentReason::kRenew)), (Ids{"t02"}));
  policy.providers.clear();
  EXPECT_EQ(place(policy, copies, IntentReason::kRenew).unplaced_count, 1u);
}

// Random books: never two at one provider, never a generation over one that may live, owners and regions as asked.
TEST(PlacementProperty, RandomBooks) {
  std::mt19937 random(11);
  const auto pick = [&random](unsigned below) { return static_cast<unsigned>(random() % below); };
  for (int round = 0; round < 3'000; ++round) {
    DealPolicy policy = policy_of(1 + pick(4), 1, 1);
    policy.owners = 1 + pick(std::min(policy.copies, 3u));
    policy.regions = 1 + pick(std::min(policy.copies, 3u));
    std::vector<CopyView> copies;
    std::set<std::string> used;
    for (uint64_t slot = 0; slot < pick(4); ++slot) {
      const std::string id = policy.providers[pick(5)].id;
      if (!used.insert(id).second) continue;
      const A attempts[] = {A::kPlanned, A::kUnknown, A::kRejected};
      const bool is_deal = pick(2) == 0;
      copies.push_back(copy(id, slot, is_deal ? A::kAccepted : attempts[pick(3)],
                            is_deal ? static_cast<D>(1 + pick(10)) : D::kNone));
    }
    for (const IntentReason reason : {IntentReason::kNew, IntentReason::kRepair}) {
      const PlacementResult result = place(policy, copies, reason);
      std::set<std::string> chosen;
      for (const Placement& placement : result.placements) {
        ASSERT_TRUE(chosen.insert(placement.provider).second);
        for (const CopyView& there : copies) {
          if (there.slot == placement.slot) {
            ASSERT_TRUE(is_dead(there));
            ASSERT_GT(placement.generation, there.generation);
          }
          ASSERT_TRUE(there.provider != placement.provider || is_dead(there));
        }
      }
      ASSERT_LE(chosen.size(), policy.copies);
    }
  }
}

}  // namespace
}  // namespace piecework::engine
