// UUIDs and ULIDs: their text, and that new ones are new.
#include "engine/deal/deal_key.h"

#include <gtest/gtest.h>

#include <set>

namespace piecework::engine {
namespace {

TEST(DealKey, TextOfKnownIds) {
  // RFC 9562 A.3; github.com/oklog/ulid's example, whose time is 2016-07-30T23:54:10.259Z.
  EXPECT_EQ(uuid_text(parse_deal_uuid("919108f7-52d1-4320-9bac-f847db4148a8").value()),
            "919108f7-52d1-4320-9bac-f847db4148a8");
  const DealUlid ulid = parse_deal_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV").value();
  EXPECT_EQ(to_hex(ulid), "01563e3ab5d3d6764c61efb99302bd5b");
  EXPECT_EQ(ulid_text(ulid), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(ulid_text(parse_deal_ulid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").value()), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(DealKey, NewOnesAreNewAndWellFormed) {
  std::set<std::string> uuids;
  std::set<std::string> ulids;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = uuid_text(make_deal_uuid());
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    EXPECT_EQ(uuid_text(parse_deal_uuid(uuid).value()), uuid);
    uuids.insert(uuid);
    const std::string ulid = ulid_text(make_deal_ulid(1'469'922'850'259));
    EXPECT_EQ(ulid.substr(0, 10), "01ARZ3NDEK");
    EXPECT_EQ(ulid_text(parse_deal_ulid(ulid).value()), ulid);
    ulids.insert(ulid);
  }
  EXPECT_EQ(uuids.size(), 1000U);
  EXPECT_EQ(ulids.size(), 1000U);
}

TEST(DealKey, RefusesAnyOtherText) {
  for (const std::string_view text : {"", "919108f7-52d1-4320-9bac-f847db4148a", "919108F7-52d1-4320-9bac-f847db4148a8",
                                      "919108f7052d1-4320-9bac-f847db4148a8", "919108f7-52d1-4320-9bac-f847db4148ag",
                                      "{19108f7-52d1-4320-9bac-f847db4148a}", "919108f752d143209bacf847db4148a8----"}) {
    EXPECT_FALSE(parse_deal_uuid(text)) << text;
  }
  for (const std::string_view text :
       {"", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVV", "01arz3ndektsv4rrffq69g5fav",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FA/"}) {
    EXPECT_FALSE(parse_deal_ulid(text)) << text;
  }
}

}  // namespace
}  // namespace piecework::engine
