// dag-cbor: headers of CARs and links of blocks, with each form that strictness refuses.
#include "engine/codec/dag_cbor.h"

#include <gtest/gtest.h>

#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

using Bytes = std::vector<uint8_t>;

using testing::hex;

const std::string kCidHex = "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kLink = "d82a582500" + kCidHex;

// The links of a block, in order; an error where the block is refused.
Result<std::vector<Cid>> links_of(const std::string& block_hex) {
  const Bytes block = hex(block_hex);
  std::vector<Cid> links;
  PIECEWORK_TRY(visit_dag_cbor_links(block, [&](const CidView& link) -> Status {
    links.emplace_back(link);
    return {};
  }));
  return links;
}

TEST(DagCbor, FindsLinksWhereverTheyStand) {
  // {"a": [link, {"b": link}], "bb": null}
  EXPECT_EQ(links_of("a2"
                     "6161"
                     "82" +
                     kLink +
                     "a1"
                     "6162" +
                     kLink +
                     "626262"
                     "f6")
                .value()
                .size(),
            2u);
  EXPECT_EQ(links_of(kLink).value().size(), 1u);
  for (const char* block : {"00", "1818", "3903e7", "4100", "60", "80", "a0", "f4", "f5", "f6", "fb3ff0000000000000"}) {
    EXPECT_EQ(links_of(block).value().size(), 0u) << block;
  }
}

TEST(DagCbor, RefusesWhatIsNotStrict) {
  const struct {
    const char* why;
    std::string block;
  } kCases[] = {
      {"nothing", ""},
      {"integer not minimal", "1801"},
      {"integer not minimal, two bytes", "190001"},
      {"length not minimal", "580100"},
      {"indefinite array", "9fff"},
      {"indefinite map", "bfff"},
      {"indefinite text", "7fff"},
      {"break", "ff"},
      {"reserved", "1c"},
      {"undefined", "f7"},
      {"simple value", "f0"},
      {"half float", "f93c00"},
      {"single float", "fa3f800000"},
      {"NaN", "fb7ff8000000000000"},
      {"infinity", "fb7ff0000000000000"},
      {"keys out of order",
       "a2"
       "6162"
       "00"
       "6161"
       "00"},
      {"longer key first",
       "a2"
       "626161"
       "00"
       "6162"
       "00"},
      {"key twice",
       "a2"
       "6161"
       "00"
       "6161"
       "00"},
      {"key that is no text",
       "a1"
       "4161"
       "00"},
      {"text not UTF-8", "61ff"},
      {"overlong UTF-8", "62c080"},
      {"another tag", "c100"},
      {"link without the 00 byte", "d82a5824" + kCidHex},
      {"link that is text", "d82a6100"},
      {"link with a trailing byte", "d82a582600" + kCidHex + "00"},
      {"bytes after the item", "0000"},
      {"text past the end", "6561"},
      {"array of 2^64-1", "9bffffffffffffffff"},
      {"map of 2^63", "bb8000000000000000"},
      {"bytes of 2^64-1", "5bffffffffffffffff"},
      {"ends in the head", "19"},
  };
  for (const auto& c : kCases) {
    const Result<std::vector<Cid>> links = links_of(c.block);
    ASSERT_FALSE(links) << c.why;
    EXPECT_EQ(links.error().code, ErrorCode::kCorrupt) << c.why;
  }
}

TEST(DagCbor, NestingIsLimitedAndNeedsNoCallStack) {
  std::string nested;
  for (size_t i = 0; i < kDagCborDepthMax; ++i) nested += "81";
  EXPECT_TRUE(links_of(nested + "00"));
  EXPECT_FALSE(links_of("81" + nested + "00"));
  EXPECT_FALSE(visit_dag_cbor_links(Bytes(1'000'000, 0x81), [](const CidView&) -> Status { return {}; }));
}

TEST(DagCbor, TheVisitorsErrorStopsTheVisit) {
  const Bytes block = hex("82" + kLink + kLink);
  int visits = 0;
  const Status status = visit_dag_cbor_links(block, [&](const CidView&) -> Status {
    ++visits;
    return fail(ErrorCode::kCancelled, ErrorSide::kSource, "enough");
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(visits, 1);
}

TEST(CarHeader, HasTheLengthsThatLayoutsCountOn) {
  EXPECT_EQ(car_v1_header_bytes(36), 59u);
  EXPECT_EQ(car_v1_header_bytes(34), 57u);
  const Bytes cid = hex(kCidHex);
  Bytes header(car_v1_header_bytes(cid.size()));
  EXPECT_EQ(encode_car_v1_header(header.data(), cid), header.data() + header.size());
  EXPECT_EQ(to_hex(header), "3aa265726f6f747381" + kLink + "6776657273696f6e01");
}

TEST(CarHeader, RoundTripsRootsOfEveryLength) {
  for (const size_t digest_bytes : {size_t{0}, size_t{18}, size_t{19}, size_t{20}, size_t{128}}) {
    std::string cid_hex = "015500" + std::string(digest_bytes < 128 ? "" : "8001");
    if (digest_bytes < 128) cid_hex += to_hex(Bytes{static_cast<uint8_t>(digest_bytes)});
    const Bytes cid = hex(cid_hex + std::string(2 * digest_bytes, 'a'));
    Bytes header(car_v1_header_bytes(cid.size()));
    ASSERT_EQ(encode_car_v1_header(header.data(), cid), header.data() + header.size());
    const CarHeader decoded = decode_car_v1_header(ByteSpan(header).subspan(header.size() < 129 ? 1 : 2)).value();
    ASSERT_EQ(decoded.roots.size(), 1u);
    EXPECT_EQ(to_hex(decoded.roots[0].bytes), to_hex(cid));
  }
}

TEST(CarHeader, AcceptsSeveralRootsAndNone) {
  EXPECT_EQ(decode_car_v1_header(hex("a265726f6f747382" + kLink + kLink + "6776657273696f6e01")).value().roots.size(),
            2u);
  EXPECT_EQ(decode_car_v1_header(hex("a265726f6f7473806776657273696f6e01")).value().roots.size(), 0u);
}

TEST(CarHeader, KnowsThePragma) {
  EXPECT_TRUE(is_car_v2_pragma(hex("a16776657273696f6e02")));
  EXPECT_FALSE(is_car_v2_pragma(hex("a16776657273696f6e01")));
  EXPECT_FALSE(decode_car_v1_header(hex("a16776657273696f6e02")));
}

}  // namespace
}  // namespace piecework::engine
