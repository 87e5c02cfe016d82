// Lists of roots: what a line may hold, and which line an error names.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/store/kubo_pins.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::TempDir;
using testing::write_file;

constexpr char kV1[] = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";  // the empty directory
constexpr char kV0[] = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
constexpr char kHex[] = "f017012205994843f4c6d0a3cd9af0ae7d2dc2bd3d3a3a3c4bba5c6d9b8a7f6e5d4c3b2a1";

using Roots = std::vector<std::pair<uint64_t, std::string>>;  // line and CID

Result<Roots> roots_of(const std::string& content) {
  const TempDir temp;
  write_file(temp / "roots", content);
  Roots roots;
  PIECEWORK_TRY(visit_roots_file(temp / "roots", [&roots](const Cid& cid, uint64_t line_number) -> Status {
    roots.emplace_back(line_number, cid.text());
    return {};
  }));
  return roots;
}

TEST(RootsFile, TakesOneCidALineInAnyBase) {
  EXPECT_EQ(roots_of("").value(), Roots{});
  EXPECT_EQ(roots_of("\n\n").value(), Roots{});
  EXPECT_EQ(roots_of(kV1).value(), (Roots{{1, kV1}})) << "the last newline may be missing";
  const std::string content = std::string("# pins\n") + kV1 + "\n\n  # more\n\t" + kV0 + " \r\n" + kV1 + "\n";
  EXPECT_EQ(roots_of(content).value(), (Roots{{2, kV1}, {5, kV0}, {6, kV1}}));
  EXPECT_EQ(roots_of(kHex).value().front().second.substr(0, 7), "bafybei");
}

TEST(RootsFile, NamesTheLineThatIsNoCid) {
  for (const std::string& line : {std::string("no CID"), std::string(kV1) + " recursive", std::string("/ipfs/") + kV1,
                                  std::string(kV1).substr(0, 40), std::string("\0", 1), std::string("\xff\xfe")}) {
    const Error error = roots_of(std::string(kV1) + "\n\n" + line + "\n").error();
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << line;
    EXPECT_EQ(error.side, ErrorSide::kConfig);
    EXPECT_NE(error.message.find("line 3"), std::string::npos) << error.message;
  }
}

TEST(RootsFile, ReadsFilesLongerThanItsBuffer) {
  std::string content;
  Roots expected;
  for (uint64_t i = 0; i < 5000; ++i) {  // lines end at every offset of the buffer
    content += std::string(i % 7, ' ') + (i % 3 == 0 ? kV0 : kV1) + "\n";
    expected.emplace_back(i + 1, i % 3 == 0 ? kV0 : kV1);
  }
  EXPECT_EQ(roots_of(content).value(), expected);
}

TEST(RootsFile, LinesAreBounded) {
  EXPECT_TRUE(roots_of("#" + std::string(4000, 'x') + "\n" + kV1));
  const Error error = roots_of(std::string(kV1) + "\n#" + std::string(1'000'000, 'x')).error();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(error.message.find("line 2"), std::string::npos) << error.message;
}

TEST(RootsFile, MustBeARegularFile) {
  const TempDir temp;
  const auto ignore = [](const Cid&, uint64_t) -> Status { return {}; };
  EXPECT_EQ(visit_roots_file(temp / "missing", ignore).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(visit_roots_file(temp.path(), ignore).error().code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo((temp / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(visit_roots_file(temp / "fifo", ignore).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace piecework::engine
