// The set of known items: every part of a key counts, and no two items share one.
#include "engine/plan/known_items.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/codec/cid.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

TEST(KnownItems, PlacesInASource) {
  const auto as_pair = [](const ItemPlace& place) {
    return std::pair(std::string(place.source_name), std::string(place.path));
  };
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(as_pair(item_place("a/b", false, "site")), Pair("site", "a/b"));
  EXPECT_EQ(as_pair(item_place("", false, "file")), Pair("file", ""));
  EXPECT_EQ(as_pair(item_place("site/a/b", true, "other")), Pair("site", "a/b"));
  EXPECT_EQ(as_pair(item_place("file", true, "other")), Pair("file", ""));
}

TEST(KnownItems, EveryPartOfAFileCounts) {
  KnownItems items;
  items.add_file({"site", "a/b"}, 7, -1);
  EXPECT_TRUE(items.has_file({"site", "a/b"}, 7, -1));
  EXPECT_FALSE(items.has_file({"site", "a/b"}, 7, 0));
  EXPECT_FALSE(items.has_file({"site", "a/b"}, 8, -1));
  EXPECT_FALSE(items.has_file({"site", "a/c"}, 7, -1));
  EXPECT_FALSE(items.has_file({"Site", "a/b"}, 7, -1));
  // Where one part ends and the next begins counts too.
  EXPECT_FALSE(items.has_file({"sitea", "/b"}, 7, -1));
  EXPECT_FALSE(items.has_file({"sit", "ea/b"}, 7, -1));
  EXPECT_FALSE(items.has_content_of_size({"site", "a/b"}, 7));
}

TEST(KnownItems, KindsNeverMeet) {
  KnownItems items;
  items.add_empty_directory({"s", "p"});
  EXPECT_TRUE(items.has_empty_directory({"s", "p"}));
  EXPECT_FALSE(items.has_symlink({"s", "p"}, ""));
  EXPECT_FALSE(items.has_file({"s", "p"}, 0, 0));
  items.add_symlink({"s", "q"}, std::string_view("\0\0\0\0\0\0\0\0", 8));
  EXPECT_TRUE(items.has_symlink({"s", "q"}, std::string_view("\0\0\0\0\0\0\0\0", 8)));
  EXPECT_FALSE(items.has_symlink({"s", "q"}, ""));
  EXPECT_FALSE(items.has_content_of_size({"s", "q"}, 0));
}

TEST(KnownItems, ContentsOfOnePlace) {
  const Cid red = sha256_cid(1, kCodecRaw, kernels::sha256(as_bytes("red")));
  const Cid blue = sha256_cid(1, kCodecRaw, kernels::sha256(as_bytes("blu")));
  KnownItems items;
  items.add_content({"s", "p"}, 3, red.bytes());
  EXPECT_TRUE(items.has_content_of_size({"s", "p"}, 3));
  EXPECT_FALSE(items.has_content_of_size({"s", "p"}, 4));
  EXPECT_TRUE(items.has_content({"s", "p"}, 3, red.bytes()));
  EXPECT_FALSE(items.has_content({"s", "p"}, 3, blue.bytes()));
  EXPECT_FALSE(items.has_file({"s", "p"}, 3, 0));
  items.add_content({"s", "p"}, 3, blue.bytes());  // a later version of the file
  EXPECT_TRUE(items.has_content({"s", "p"}, 3, red.bytes()));
  EXPECT_TRUE(items.has_content({"s", "p"}, 3, blue.bytes()));
}

TEST(KnownItems, DagsByTheWholeCid) {
  const Digest32 digest = kernels::sha256(as_bytes("node"));
  const Cid v0 = sha256_cid(0, kCodecDagPb, digest);
  const Cid v1 = sha256_cid(1, kCodecDagPb, digest);
  KnownItems items;
  items.add_dag(v0.bytes(), std::numeric_limits<uint64_t>::max());  // a Tsize may be anything
  EXPECT_EQ(items.find_dag(v0.bytes()), std::numeric_limits<uint64_t>::max() - 1);
  EXPECT_FALSE(items.find_dag(v1.bytes()));
}

}  // namespace
}  // namespace piecework::engine
