// Paths in JSON: text where they are UTF-8, base64 where they are not.
#include "tools/json_output.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

Json object_with(std::string_view path) {
  Json object = Json::object();
  set_path(object, path);
  return object;
}

TEST(SetPathTest, Utf8IsText) {
  EXPECT_EQ(object_with("a/b.txt").dump(), R"({"path":"a/b.txt"})");
  EXPECT_EQ(object_with("gr\xc3\xbc\xc3\x9f"
                        "e")
                .dump(),
            "{\"path\":\"gr\xc3\xbc\xc3\x9f"
            "e\"}");
  EXPECT_EQ(object_with("tab\t").dump(), R"({"path":"tab\t"})");
}

TEST(SetPathTest, OtherBytesAreBase64) {
  EXPECT_EQ(object_with("\xff").dump(), R"({"path_base64":"/w=="})");
  EXPECT_EQ(object_with("a\xc3").dump(), R"({"path_base64":"YcM="})");
  EXPECT_EQ(object_with("\xed\xa0\x80").dump(), R"({"path_base64":"7aCA"})");  // a surrogate is not UTF-8
}

}  // namespace
}  // namespace piecework::tools
