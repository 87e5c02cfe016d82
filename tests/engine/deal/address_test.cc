// Addresses against those of other implementations, and everything that is none.
#include "engine/deal/address.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/deal/secp256k1.h"
#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

struct KnownAddress {
  std::string text;
  std::string hex;
};

// f0 to f3: test vectors of filecoin-project/go-address; f410: of lotus' ethtypes; the last: vectors.txt.
const KnownAddress kKnown[] = {
    {"f00", "0000"},
    {"f0150", "009601"},
    {"f01024", "008008"},
    {"f01729", "00c10d"},
    {"f0999999", "00bf843d"},
    {"f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq", "01ea0f0ea039b291a0f08fd179e0556a8c3277c0d3"},
    {"f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i", "02e54dea4f9bc5b47d261819826d5e1fbf8bc5503b"},
    {"f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a",
     "03ad58df696e2d4e91ea86c881e938ba4ea81b395e12797b84b9cf314b9546705e839c7a99d606b247ddb4f9ac7a3414dd"},
    {"f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", "040ad388ab098ed3e84c0d808776440b48f685198498"},
    {std::string(kGoldenClientText), "0154a9b54edcb9f0072e768f79e0ec8f2cbb6bde05"},
};

TEST(Address, BytesAndTextOfOtherImplementations) {
  for (const KnownAddress& known : kKnown) {
    const Result<Address> address = Address::parse(known.text, 'f');
    ASSERT_TRUE(address) << known.text << ": " << address.error().message;
    EXPECT_EQ(to_hex(address->bytes()), known.hex) << known.text;
    EXPECT_EQ(address->text('f'), known.text);
    EXPECT_EQ(address->text('t'), "t" + known.text.substr(1));
    EXPECT_EQ(Address::decode(address->bytes()).value(), *address);
  }
  EXPECT_EQ(Address::parse("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", 'f')->protocol(),
            AddressProtocol::kDelegated);
  EXPECT_EQ(Address::of_actor(1000).actor_id(), 1000U);
  EXPECT_EQ(Address::parse(kGoldenClientText, 'f')->actor_id(), std::nullopt);
}

TEST(Address, OfPublicKeys) {
  // The key of go-address' first secp256k1 vector.
  const std::vector<uint8_t> key = from_hex(
      "049402fac37e6432a416a3a0ca5426b5185ab3b24f6134efa25ce487c82d2e4e13bf452511e0d2245421f8613bc10d72fa216666a96c3bc1"
      "3920d3ff233fd0bc05");
  ASSERT_EQ(key.size(), kPublicKeyBytes);
  EXPECT_EQ(Address::of_secp256k1(key).text('t'), "t15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq");
  EXPECT_EQ(Address::of_secp256k1(secp256k1_public_key(golden_key()).value()).text('f'), kGoldenClientText);
}

TEST(Address, EveryChangedCharacterIsFound) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz234567";
  const std::string text(kGoldenClientText);
  for (size_t i = 2; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = letters[(letters.find(text[i]) + 1 + i) % letters.size()];
    if (changed == text) continue;
    EXPECT_FALSE(Address::parse(changed, 'f')) << changed;
  }
}

TEST(Address, RefusesTextOfAnotherNetworkAndMalformedText) {
  for (const std::string_view text :
       {"t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi", "", "f", "f0", "f1", "f01x", "f0-1", "f007",
        "f09223372036854775808", "f5ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi",
        "f1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipw", "f1KSU3KTW4XHYAOLTWR546B3EPFS5WXXQFYYXIPWI", "f410", "f410f",
        "f4f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", "f410g2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy",
        "f411f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy"}) {
    const Result<Address> address = Address::parse(text, 'f');
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(address.error().side, ErrorSide::kConfig);
  }
  EXPECT_TRUE(Address::parse("f09223372036854775807", 'f'));
}

TEST(Address, RefusesMalformedBytes) {
  const std::string subaddress_55(2 * 55, '1');
  for (const std::string& hex :
       {std::string(), std::string("00"), std::string("0080"), std::string("009600"), std::string("00960100"),
        std::string("01ea0f"), std::string("04"), std::string("0480"), "040a" + subaddress_55, std::string("0500")}) {
    const Result<Address> address = Address::decode(from_hex(hex));
    ASSERT_FALSE(address) << hex;
    EXPECT_EQ(address.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_TRUE(Address::decode(from_hex("040a" + subaddress_55.substr(2))));
}

}  // namespace
}  // namespace piecework::engine
