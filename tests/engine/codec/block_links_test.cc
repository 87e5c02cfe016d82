// Links of blocks by codec: nodes of other implementations, and dag-json in every form that its decoders take or
// refuse.
#include "engine/codec/block_links.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/engine/codec/golden_cars.h"
#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

using testing::hex;

constexpr char kCidA[] = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
constexpr char kCidB[] = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

std::string link_json(std::string_view cid) { return "{\"/\":\"" + std::string(cid) + "\"}"; }

// The texts of a block's links, in order.
Result<std::vector<std::string>> links_of(uint64_t codec, ByteSpan block) {
  std::vector<Cid> links{Cid()};  // list_block_links clears it
  PIECEWORK_TRY(list_block_links(codec, block, links));
  std::vector<std::string> texts;
  for (const Cid& link : links) texts.push_back(link.text());
  return texts;
}

Result<std::vector<std::string>> json_links(std::string_view json) { return links_of(kCodecDagJson, as_bytes(json)); }

using Texts = std::vector<std::string>;

TEST(BlockLinks, EveryNodeOfTheGoldenCarsLinksToWhatFollowsIt) {
  size_t link_count = 0;
  for (const auto& path : testing::golden_car_paths()) {
    const testing::LoadedCar car = testing::load_car(path);
    std::set<Cid> named = {Cid(car.blocks.front().cid)};  // by a parent, or the root
    std::vector<Cid> links;
    for (const CarBlock& block : car.blocks) {
      EXPECT_TRUE(named.contains(Cid(block.cid))) << path << " " << Cid(block.cid).text();
      ASSERT_TRUE(list_block_links(block.cid.codec, block.data, links));
      named.insert(links.begin(), links.end());
      link_count += links.size();
    }
  }
  EXPECT_GT(link_count, 1000u);
}

TEST(BlockLinks, KnowsWhichCodecsItWalks) {
  for (const uint64_t codec : {kCodecRaw, kCodecDagPb, kCodecDagCbor, kCodecDagJson}) {
    EXPECT_TRUE(is_walked_codec(codec));
    EXPECT_EQ(may_have_links(codec), codec != kCodecRaw);
  }
  const std::string link = link_json(kCidA);
  for (const uint64_t codec : {kCodecLibp2pKey, kCodecPiece, uint64_t{0x78}, uint64_t{0x90}}) {
    EXPECT_FALSE(is_walked_codec(codec));
    EXPECT_FALSE(may_have_links(codec));
    EXPECT_EQ(links_of(codec, as_bytes(link)).value(), Texts{}) << "not looked at";
  }
  EXPECT_EQ(links_of(kCodecRaw, as_bytes(link)).value(), Texts{});
}

TEST(BlockLinks, RefusesWhatItsCodecRefuses) {
  const std::vector<uint8_t> block = hex("ff");
  for (const uint64_t codec : {kCodecDagPb, kCodecDagCbor, kCodecDagJson}) {
    EXPECT_EQ(links_of(codec, block).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(links_of(codec, block).error().side, ErrorSide::kSource);
  }
}

// ipld/codec-fixtures dagpb_Links_Hash_some_Name_some: one link, to an identity CID, in three codecs.
TEST(BlockLinks, TheSameNodeHasTheSameLinksInEveryCodec) {
  const Texts expected = {"bafkqabiaaebagba"};
  EXPECT_EQ(links_of(kCodecDagPb, hex("12160a090155000500010203041209736f6d65206e616d65")).value(), expected);
  EXPECT_EQ(links_of(kCodecDagCbor,
                     hex("a1654c696e6b7381a26448617368d82a4a00015500050001020304644e616d6569736f6d65206e616d65"))
                .value(),
            expected);
  EXPECT_EQ(json_links(R"({"Links":[{"Hash":{"/":"bafkqabiaaebagba"},"Name":"some name"}]})").value(), expected);
}

TEST(BlockLinks, DuplicatesComeInOrder) {
  const std::string a = link_json(kCidA), b = link_json(kCidB);
  EXPECT_EQ(json_links("[" + a + "," + b + "," + a + "]").value(), (Texts{kCidA, kCidB, kCidA}));
}

TEST(DagJsonLinks, StandAnywhere) {
  const std::string a = link_json(kCidA), b = link_json(kCidB);
  EXPECT_EQ(json_links(a).value(), Texts{kCidA});
  EXPECT_EQ(json_links(R"({"x":)" + a + R"(,"y":[[)" + b + R"(],1,{}]})").value(), (Texts{kCidA, kCidB}));
  EXPECT_EQ(json_links(" { \"\\u002f\" : \"" + std::string(kCidA) + "\" } \n").value(), Texts{kCidA});
  EXPECT_EQ(json_links(R"({"/":)" + a + "}").value(), Texts{kCidA}) << "a map whose entry / is a link";
  for (const char* text : {"null", "true", "-0", "18446744073709551615", "-9223372036854775808", "1e-323", "\"/\"",
                           "[]", "{}", R"({"/":1})", R"({"/":{}})", R"({"/":[]})", R"(["/","x"])", R"({"":"/"})"}) {
    EXPECT_EQ(json_links(text).value(), Texts{}) << text;
  }
}

TEST(DagJsonLinks, BytesAreNoLinks) {
  EXPECT_EQ(json_links(R"({"/":{"bytes":"YTE"}})").value(), Texts{});
  EXPECT_EQ(json_links(R"({"Data":{"/":{"bytes":"AAECAwQ"}},"Links":[]})").value(), Texts{});
}

TEST(DagJsonLinks, AMapWithMoreThanTheLinkIsAMap) {
  EXPECT_EQ(json_links(R"({"/":"no CID","x":1})").value(), Texts{});
  EXPECT_EQ(json_links(R"({"x":1,"/":"no CID"})").value(), Texts{});
  EXPECT_EQ(json_links(R"({"x":1,"/":")" + std::string(kCidA) + "\"}").value(), Texts{});
  EXPECT_EQ(json_links(R"({"/":"no CID","x":)" + link_json(kCidB) + "}").value(), Texts{kCidB});
}

TEST(DagJsonLinks, RefusesWhatIsNoDagJson) {
  const std::string a = link_json(kCidA);
  const std::string kCases[] = {
      "",
      "  ",
      "{",
      "[1,]",
      "{\"a\":1,}",
      "{a:1}",
      "{\"a\" 1}",
      "[1 2]",
      "nul",
      "01",
      "1e999",
      "+1",
      "NaN",
      "\"\xff\"",
      "\"\\ud800\"",
      "\"\x01\"",
      "\"open",
      "\xEF\xBB\xBF{}",
      "{} {}",
      "{}x",
      "// comment\n{}",
      "]",
      "}",
      R"({"/":"no CID"})",
      R"({"/":""})",
      R"({"/":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk"})",
      R"({"foo":1,"foo":2,"bar":3})",  // ipld/codec-fixtures, duplicate-keys.json
      R"({"a":{"b":1,"c":2,"b":3}})",
      R"({"a":1,"\u0061":2})",
      R"([{"/":"x","/":"y"}])",
      "[" + a + "," + a,
  };
  for (const std::string& json : kCases) {
    const Result<Texts> links = json_links(json);
    ASSERT_FALSE(links) << json;
    EXPECT_EQ(links.error().code, ErrorCode::kCorrupt) << json;
  }
}

TEST(DagJsonLinks, KeysRepeatInDifferentMapsOnly) {
  EXPECT_TRUE(json_links(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"));
}

TEST(DagJsonLinks, NestingIsLimitedAndNeedsNoCallStack) {
  const std::string open(kDagJsonDepthMax, '['), close(kDagJsonDepthMax, ']');
  EXPECT_TRUE(json_links(open + close));
  EXPECT_FALSE(json_links("[" + open + close + "]"));
  EXPECT_FALSE(json_links(std::string(1'000'000, '[')));
  std::string maps;
  for (size_t i = 0; i <= kDagJsonDepthMax; ++i) maps += "{\"/\":";
  EXPECT_FALSE(json_links(maps));
}

TEST(DagJsonLinks, TheVisitorsErrorStopsTheVisit) {
  const std::string block = "[" + link_json(kCidA) + "," + link_json(kCidB) + "]";
  int visits = 0;
  const Status status = visit_dag_json_links(as_bytes(block), [&](const CidView&) -> Status {
    ++visits;
    return fail(ErrorCode::kCancelled, ErrorSide::kSource, "enough");
  });
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(visits, 1);
}

}  // namespace
}  // namespace piecework::engine
