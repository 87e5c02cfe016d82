// Prices: per epoch, in total and per TiB-month agree, and a price in the wrong unit is found.
#include "engine/deal/deal_price.h"

#include <gtest/gtest.h>

#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

AttoFil atto(std::string_view text) { return parse_atto_fil(text, "amount").value(); }

TEST(DealPrice, AWholePieceForAnEpoch) {
  // 32 GiB at 2,000,000 attoFIL for a GiB and epoch, 518,400 epochs; a TiB-month is 1,024 x 86,400 GiB-epochs.
  const DealPrice price = price_of(atto("2000000"), 32 * kGiB, 518'400).value();
  EXPECT_EQ(price.per_epoch.text(), "64000000");
  EXPECT_EQ(price.total.text(), "33177600000000");
  EXPECT_EQ(price.per_tib_month.text(), "176947200000000");
}

TEST(DealPrice, SmallPiecesAreNeverBelowTheOffer) {
  const DealPrice price = price_of(atto("1"), 128, 518'400).value();
  EXPECT_EQ(price.per_epoch.text(), "1");
  EXPECT_EQ(price.total.text(), "518400");
  EXPECT_EQ(price_of(atto("0"), 128, 518'400)->total.text(), "0");
  EXPECT_FALSE(price_of(AttoFil::max(), 64 * kGiB, 518'400));
}

TEST(DealPrice, WhatIsSignedCostsWhatWasPlanned) {
  const DealPrice price = price_of(atto("2000000"), 32 * kGiB, 518'400).value();
  EXPECT_TRUE(check_price(price, 32 * kGiB, 5'000'000, 5'518'400, atto("64000000")));
  // The total where the price of an epoch belongs.
  EXPECT_FALSE(check_price(price, 32 * kGiB, 5'000'000, 5'518'400, price.total));
  EXPECT_FALSE(check_price(price, 32 * kGiB, 5'000'000, 5'518'401, atto("64000000")));
  EXPECT_FALSE(check_price(price, 64 * kGiB, 5'000'000, 5'518'400, atto("64000000")));
  EXPECT_FALSE(check_price(price, 32 * kGiB, 5'000'000, 5'000'000, atto("64000000")));
  EXPECT_FALSE(check_price(price, 32 * kGiB, 5'000'000, 5'518'400, atto("64000001")));
}

}  // namespace
}  // namespace piecework::engine
