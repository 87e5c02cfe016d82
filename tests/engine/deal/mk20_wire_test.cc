// MK20 replies that are strange, and JSON from strangers. What is sent is tested with the adapter.
#include "engine/deal/mk20_wire.h"

#include <gtest/gtest.h>

#include "engine/deal/bounded_json.h"

namespace piecework::engine {
namespace {

TEST(Mk20Wire, Statuses) {
  const std::optional<Mk20Status> status =
      decode_mk20_status(as_bytes(R"({"ddo_v1":{"status":"sealing","errorMsg":"e","new":[1]},"pdp_v1":null})"));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->stage, "sealing");
  EXPECT_EQ(status->error, "e");
  EXPECT_TRUE(decode_mk20_status(as_bytes(R"({"ddo_v1":{"status":"accepted"}})")));
  for (const std::string_view body :
       {"", "{}", "[]", "null", R"({"ddo_v1":null})", R"({"ddo_v1":{"status":1}})", R"({"ddo_v1":{"status":""}})",
        R"({"ddo_v1":[]})", R"({"pdp_v1":{"status":"sealing"}})", R"({"ddo_v1":{"status":"sealing"}}x)",
        "{\"ddo_v1\":{\"status\":\"\xff\"}}"}) {
    EXPECT_FALSE(decode_mk20_status(as_bytes(body))) << body;
  }
}

TEST(Mk20Wire, Uploads) {
  const std::optional<Mk20Upload> begun = decode_mk20_upload(
      as_bytes(R"({"total_chunks":5,"uploaded":2,"missing":3,"uploaded_chunks":[2,4],"missing_chunks":[5,1,3]})"));
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->chunk_count, 5U);
  EXPECT_EQ(begun->missing, (std::vector<uint64_t>{1, 3, 5}));
  const std::optional<Mk20Upload> whole = decode_mk20_upload(
      as_bytes(R"({"total_chunks":1,"uploaded":1,"missing":0,"uploaded_chunks":[1],"missing_chunks":null})"));
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->missing.empty());
  for (const std::string_view body :
       {"", "{}", R"({"total_chunks":0,"missing":0,"missing_chunks":null})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":[0]})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":[3]})",
        R"({"total_chunks":2,"missing":2,"missing_chunks":[1,1]})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":[]})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":[-1]})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":{}})",
        R"({"total_chunks":18446744073709551615,"missing":0,"missing_chunks":null})",
        R"({"total_chunks":2,"missing":1,"missing_chunks":[1.0]})", R"({"total_chunks":2,"missing_chunks":[1]})"}) {
    EXPECT_FALSE(decode_mk20_upload(as_bytes(body))) << body;
  }
}

TEST(Mk20Wire, UploadsBegin) {
  EXPECT_EQ(encode_mk20_upload_start(1'000'000, 65536), R"({"raw_size":1000000,"chunk_size":65536})");
}

TEST(BoundedJson, Depth) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_bounded_json(nested(32)));
  EXPECT_FALSE(parse_bounded_json(nested(33)));
  EXPECT_FALSE(parse_bounded_json(nested(1'000'000)));
  EXPECT_FALSE(parse_bounded_json(std::string(1'000'000, '[')));
  EXPECT_FALSE(parse_bounded_json("[\"a\\\"\"," + nested(32) + "]"));
  EXPECT_TRUE(parse_bounded_json("[\"" + std::string(100, '[') + "\\\"" + std::string(100, '{') + "\"]"));
}

TEST(BoundedJson, MembersOfTheirKind) {
  const nlohmann::json json =
      parse_bounded_json(
          R"({"t":"x","u":18446744073709551615,"i":-5,"b":true,"f":1.5,"n":null,"big":9223372036854775808})")
          .value();
  EXPECT_EQ(json_text(json, "t"), "x");
  EXPECT_EQ(json_unsigned(json, "u"), UINT64_MAX);
  EXPECT_EQ(json_integer(json, "i"), -5);
  EXPECT_EQ(json_boolean(json, "b"), true);
  EXPECT_FALSE(json_integer(json, "u"));
  EXPECT_FALSE(json_integer(json, "big"));
  EXPECT_FALSE(json_unsigned(json, "i"));
  for (const std::string_view key : {"f", "n", "absent"}) {
    EXPECT_FALSE(json_text(json, key) || json_unsigned(json, key) || json_integer(json, key) ||
                 json_boolean(json, key));
  }
  EXPECT_FALSE(json_text(nlohmann::json::array(), "t"));
  EXPECT_EQ(json_member(nlohmann::json("text"), "t"), nullptr);
}

}  // namespace
}  // namespace piecework::engine
