// The table of exit codes in design.md, row by row.
#include "tools/exit_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace piecework::tools {
namespace {

struct Row {
  ErrorCode code;
  ErrorSide side;
  int exit_code;
};

TEST(ExitCodeTest, FollowsTheContract) {
  using enum ErrorCode;
  using enum ErrorSide;
  const std::vector<Row> rows = {
      {kInvalidArgument, kConfig, 64},
      {kIo, kSource, 65},
      {kCorrupt, kSource, 65},
      {kNotFound, kSource, 66},
      {kChanged, kSource, 66},
      {kUnavailable, kSource, 69},
      {kConflict, kDestination, 70},
      {kConflict, kInternal, 70},
      {kResourceExhausted, kSource, 71},
      {kResourceExhausted, kDestination, 71},
      {kResourceExhausted, kInternal, 71},
      {kNoSpace, kDestination, 73},
      {kPermission, kDestination, 73},
      {kNotFound, kDestination, 73},
      {kIo, kDestination, 74},
      {kCancelled, kSource, 75},
      {kCancelled, kDestination, 75},
      {kPermission, kSource, 77},
      {kCorrupt, kConfig, 78},
      {kUnsupported, kConfig, 78},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(exit_code_of(Error{row.code, row.side, 0, "", {}}), row.exit_code)
        << "code " << static_cast<int>(row.code) << ", side " << static_cast<int>(row.side);
  }
}

// No error may look like success, and a source's error never like the destination's (73, 74) or the other way round.
TEST(ExitCodeTest, SidesNeverMix) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kUnavailable); ++code) {
    const auto exit_code = [code](ErrorSide side) {
      return exit_code_of(Error{static_cast<ErrorCode>(code), side, 0, "", {}});
    };
    const int source = exit_code(ErrorSide::kSource);
    const int destination = exit_code(ErrorSide::kDestination);
    EXPECT_TRUE(source != 73 && source != 74) << "code " << code;
    EXPECT_TRUE(destination != 65 && destination != 66 && destination != 77) << "code " << code;
    for (const ErrorSide side : {ErrorSide::kSource, ErrorSide::kDestination, ErrorSide::kConfig, ErrorSide::kInternal})
      EXPECT_GE(exit_code(side), 64);
  }
}

TEST(ExitCodeTest, HelpNamesEveryCode) {
  const std::string help(exit_code_help());
  for (const int exit_code : {0, 64, 65, 66, 69, 70, 71, 73, 74, 75, 77, 78})
    EXPECT_NE(help.find(" " + std::to_string(exit_code) + "  "), std::string::npos) << exit_code;
}

TEST(ErrorNamesTest, AreDifferent) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kUnavailable); ++code)
    EXPECT_TRUE(names.insert(name_of(static_cast<ErrorCode>(code))).second) << code;
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(name_of(ErrorCode::kNoSpace), "no_space");
  EXPECT_EQ(name_of(ErrorSide::kSource), "source");
  EXPECT_EQ(name_of(ErrorSide::kDestination), "destination");
  EXPECT_EQ(name_of(ErrorSide::kConfig), "configuration");
  EXPECT_EQ(name_of(ErrorSide::kInternal), "internal");
}

}  // namespace
}  // namespace piecework::tools
