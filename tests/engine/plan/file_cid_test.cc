// CIDs of files from their bytes alone against golden ones of kubo's importer (tests/vectors/public/unixfs-files.json).
#include "engine/plan/file_cid.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

// Larger ones are packed by tests/interop/golden.py, which needs the same shapes.
constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;

Profile profile_of(const std::string& text) {
  const std::string name = text.substr(0, text.find(' '));
  const bool is_v0 = name == "unixfs-v0-2015" || name == "tiny-pb";
  Profile profile = *profile_by_name(is_v0 ? "unixfs-v0-2015" : "unixfs-v1-2025");
  if (name.starts_with("tiny")) {
    profile.chunk_bytes = 64;
    profile.max_links = 3;
  }
  if (name == "kubo-test-cid-v1") profile.max_links = 174;
  return profile;
}

TEST(FileCid, GoldenFiles) {
  const testing::TempDir directory;
  size_t count = 0;
  for (const nlohmann::json& row : testing::load_vectors("public/unixfs-files.json")) {
    const auto file_bytes = row.at("size").get<uint64_t>();
    if (file_bytes > kFileBytesMax) continue;
    SCOPED_TRACE(row.dump());
    const std::string path = directory / "file";
    testing::write_deterministic_file(path, row.at("seed").get<std::string>(), file_bytes);
    const auto file = io::open_named(path, ErrorSide::kSource);
    ASSERT_TRUE(file);
    std::atomic<uint64_t> read_bytes{0};
    const auto cid = file_cid(*file, file_bytes, profile_of(row.at("profile").get<std::string>()), &read_bytes);
    ASSERT_TRUE(cid) << cid.error().message;
    EXPECT_EQ(cid->text(), row.at("root").get<std::string>());
    EXPECT_EQ(read_bytes.load(), file_bytes);
    ++count;
  }
  EXPECT_GT(count, 40u);
}

TEST(FileCid, AFileThatIsShorterHasChanged) {
  const testing::TempDir directory;
  testing::write_file(directory / "file", "four");
  const auto file = io::open_named(directory / "file", ErrorSide::kSource);
  ASSERT_TRUE(file);
  const auto cid = file_cid(*file, 5, Profile(), nullptr);
  ASSERT_FALSE(cid);
  EXPECT_EQ(cid.error().code, ErrorCode::kChanged);
}

TEST(FileCid, WhatDecidesIt) {
  const Profile profile;
  Profile other = profile;
  other.hamt_threshold_bytes = 1;
  EXPECT_TRUE(same_file_cids(profile, other));
  EXPECT_FALSE(same_file_cids(profile, *profile_by_name("unixfs-v0-2015")));
  Profile chunks = profile;
  chunks.chunk_bytes = 64;
  Profile links = profile;
  links.max_links = 3;
  Profile leaves = profile;
  leaves.raw_leaves = false;
  Profile version = profile;
  version.cid_version = 0;
  for (const Profile& changed : {chunks, links, leaves, version}) EXPECT_FALSE(same_file_cids(profile, changed));
}

}  // namespace
}  // namespace piecework::engine
