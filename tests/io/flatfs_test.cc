// flatfs: shard functions, lookups beneath the directory, and the scan; on stores that other programs laid out.
#include "io/flatfs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

namespace fs = std::filesystem;
using piecework::testing::read_file;
using piecework::testing::TempDir;
using piecework::testing::vector_path;
using piecework::testing::write_file;

constexpr char kEmptyBlockKey[] = "CIQOHMGEIKMPYHAUTL57JSEZN64SIJ5OIHSGJG4TJSSJLGI3PBJLQVI";

FlatfsSharding sharding(std::string_view text) { return parse_flatfs_sharding(text).value(); }

std::string shard(std::string_view function, std::string_view key) {
  return sharding("/repo/flatfs/shard/v1/" + std::string(function)).shard_of(key);
}

TEST(FlatfsSharding, ReadsEveryFunctionAndWritesItBack) {
  for (const char* text : {"/repo/flatfs/shard/v1/next-to-last/2", "/repo/flatfs/shard/v1/next-to-last/3",
                           "/repo/flatfs/shard/v1/prefix/1", "/repo/flatfs/shard/v1/suffix/250"}) {
    EXPECT_EQ(sharding(text).text(), text);
  }
}

TEST(FlatfsSharding, RefusesEverythingElse) {
  for (const char* text :
       {"", "/", "/repo/flatfs/shard/v1/", "/repo/flatfs/shard/v1/next-to-last", "/repo/flatfs/shard/v1/next-to-last/",
        "/repo/flatfs/shard/v1/next-to-last/0", "/repo/flatfs/shard/v1/next-to-last/02",
        "/repo/flatfs/shard/v1/next-to-last/+2", "/repo/flatfs/shard/v1/next-to-last/-1",
        "/repo/flatfs/shard/v1/next-to-last/2 ", " /repo/flatfs/shard/v1/next-to-last/2",
        "/repo/flatfs/shard/v1/next-to-last/2/", "/repo/flatfs/shard/v1/next-to-last/251",
        "/repo/flatfs/shard/v1/next-to-last/99999999999", "/repo/flatfs/shard/v2/next-to-last/2",
        "/repo/flatfs/shard/v1/hash/2", "/repo/flatfs/shard/v1/Prefix/2", "next-to-last/2", "repo/flatfs",
        "/repo/flatfs/shard/v1/prefix/2\n/repo/flatfs/shard/v1/prefix/2", "/repo/flatfs/shard/v1/prefix/2\r"}) {
    const Result<FlatfsSharding> parsed = parse_flatfs_sharding(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt) << text;
  }
}

// What go-ds-flatfs's Prefix, Suffix and NextToLast give.
TEST(FlatfsSharding, ChoosesTheDirectoryThatFlatfsChooses) {
  constexpr char kKey[] = "CIQBED3K6YA5I3QQWLJOCHWXDRK5EXZQILBCKAPEDUJENZ5B5HJ5R3A";
  EXPECT_EQ(shard("prefix/7", kKey), "CIQBED3");
  EXPECT_EQ(shard("prefix/16", kKey), "CIQBED3K6YA5I3QQ");
  EXPECT_EQ(shard("suffix/2", kKey), "3A");
  EXPECT_EQ(shard("next-to-last/2", kKey), "R3");
  EXPECT_EQ(shard("next-to-last/3", kKey), "5R3");
  EXPECT_EQ(shard("prefix/4", "AB"), "AB__");
  EXPECT_EQ(shard("suffix/4", "AB"), "__AB");
  EXPECT_EQ(shard("suffix/2", "AB"), "AB");
  EXPECT_EQ(shard("next-to-last/2", "AB"), "_A");
  EXPECT_EQ(shard("next-to-last/2", "A"), "__");
  EXPECT_EQ(shard("next-to-last/2", "ABC"), "AB");
}

TEST(FlatfsStore, RefusesEveryBadShardingAndSaysWhatToDo) {
  for (int i = 0; i < 5; ++i) {
    const TempDir temp;
    fs::copy_file(vector_path("malformed/flatfs-SHARDING-bad-" + std::to_string(i)), temp / "SHARDING");
    const Result<FlatfsStore> store = FlatfsStore::open(temp.path());
    ASSERT_FALSE(store) << i;
    EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(store.error().side, ErrorSide::kSource);
    EXPECT_NE(store.error().message.find((temp / "SHARDING").string()), std::string::npos) << store.error().message;
    EXPECT_NE(store.error().message.find("put back the line"), std::string::npos);
  }
}

TEST(FlatfsStore, NeedsAShardingFileThatIsAFile) {
  const TempDir temp;
  EXPECT_EQ(FlatfsStore::open(temp / "missing").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(FlatfsStore::open(temp.path()).error().code, ErrorCode::kCorrupt);
  ASSERT_EQ(::mkfifo((temp / "SHARDING").c_str(), 0600), 0);
  EXPECT_EQ(FlatfsStore::open(temp.path()).error().code, ErrorCode::kCorrupt);
  fs::remove(temp / "SHARDING");
  write_file(temp / "SHARDING", "/repo/flatfs/shard/v1/next-to-last/2");  // without its newline
  EXPECT_TRUE(FlatfsStore::open(temp.path()));
  write_file(temp / "SHARDING", std::string(5000, 'x'));
  EXPECT_EQ(FlatfsStore::open(temp.path()).error().code, ErrorCode::kCorrupt);
}

struct Scanned {
  FlatfsEntryKind kind;
  uint64_t length_bytes;
  bool operator==(const Scanned&) const = default;
};

std::map<std::string, Scanned> scan(const FlatfsStore& store) {
  std::map<std::string, Scanned> found;
  std::string last;
  const Status status = store.scan([&](const FlatfsEntry& entry) -> Status {
    const std::string path = std::string(entry.shard) + "/" + std::string(entry.key);
    EXPECT_LT(last, path) << "not in order";
    last = path;
    found[path] = {entry.kind, entry.length_bytes};
    return {};
  });
  EXPECT_TRUE(status) << (status ? "" : status.error().message);
  return found;
}

TEST(FlatfsStore, FindsAndReadsEveryBlockThatAScanNames) {
  for (const char* name : {"flatfs-repo-basic", "flatfs-repo-basic-v0-ntl3"}) {
    const fs::path directory = vector_path("public") / name / "blocks";
    const FlatfsStore store = FlatfsStore::open(directory).value();
    size_t file_count = 0;
    for (const auto& file : fs::recursive_directory_iterator(directory)) {
      if (file.path().extension() == ".data") ++file_count;
    }
    std::vector<uint8_t> buffer;
    const std::map<std::string, Scanned> found = scan(store);
    EXPECT_EQ(found.size(), file_count);
    EXPECT_GT(file_count, 15u);
    for (const auto& [path, entry] : found) {
      EXPECT_EQ(entry.kind, FlatfsEntryKind::kBlock) << path;
      const std::string key = path.substr(path.find('/') + 1);
      EXPECT_EQ(store.block_path(key), path + ".data");
      EXPECT_EQ(store.block_bytes(key).value(), entry.length_bytes);
      const ByteSpan bytes = store.read_block(key, 1 << 20, buffer).value();
      EXPECT_EQ(as_text(bytes), read_file(directory / (path + ".data"))) << path;
    }
  }
}

TEST(FlatfsStore, TheBlockOfNoBytesIsABlock) {
  const FlatfsStore store = FlatfsStore::open(vector_path("public/flatfs-repo-basic/blocks")).value();
  std::vector<uint8_t> buffer;
  EXPECT_EQ(store.block_bytes(kEmptyBlockKey).value(), 0u);
  EXPECT_TRUE(store.read_block(kEmptyBlockKey, 1, buffer).value().empty());
}

TEST(FlatfsStore, TellsBlocksFromWhatElseLiesThere) {
  const FlatfsStore store = FlatfsStore::open(vector_path("malformed/flatfs")).value();
  const std::map<std::string, Scanned> expected = {
      {"64/CIQABQ52YPNRKBB2EFY3ZATKU2M67WPFGFUDA3JPNT3WPVTB7L6S64Q", {FlatfsEntryKind::kBlock, 16}},
      {"EL/CIQNPHJULCSYQ56NRZEMDDV26TBHXHK4DKOLLX55VR3JU6RB3CQQELQ", {FlatfsEntryKind::kBlock, 18}},
      {"Z5/CIQABTAQZRNLBKE7X5GYJIRJX4RU4443UYUUVAZNFQCCZ2GZUGKJZ5Y", {FlatfsEntryKind::kBlock, 0}},
      {"ZZ/CIQFROWHGSZRZLFEAV4YZAKQSDV7ORS2KW3ONJW3DUMJKQGXHGBE5XA", {FlatfsEntryKind::kMisplaced, 13}},
      {"5N/AFKREIHIFRO4VLCQEGDSPXAXDODLGXJTXWLOBRVRO7WGKZQDXGGFS7I5NU", {FlatfsEntryKind::kBlock, 12}},
      {"RA/CIQC24IWIK3SNMCEAFRHZKP3VQZPLSCTB6YZAPGE3MBCLBYXSINERA1", {FlatfsEntryKind::kBlock, 1}},
  };
  EXPECT_EQ(scan(store), expected);  // put-*, _README and diskUsage.cache are no part of it
}

class FlatfsStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(temp_ / "SHARDING", "/repo/flatfs/shard/v1/next-to-last/2\n");
    fs::create_directory(temp_ / "EY");
  }
  FlatfsStore store() const { return FlatfsStore::open(temp_.path()).value(); }

  TempDir temp_;
  std::vector<uint8_t> buffer_;
};

TEST_F(FlatfsStoreTest, AMissingBlockIsNotFound) {
  const FlatfsStore store = this->store();
  for (const char* key : {"KEYS", "NOSUCHSHARD"}) {
    EXPECT_EQ(store.block_bytes(key).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store.open_block(key).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store.read_block(key, 100, buffer_).error().code, ErrorCode::kNotFound);
  }
  EXPECT_NE(store.block_bytes("KEYS").error().message.find("EY/KEYS.data"), std::string::npos);
  EXPECT_EQ(store.find_misplaced("KEYS").value(), std::nullopt);
}

TEST_F(FlatfsStoreTest, NothingButARegularFileIsOpened) {
  const FlatfsStore store = this->store();
  write_file(temp_ / "outside", "secret");
  ASSERT_EQ(::mkfifo((temp_ / "EY/KEYF.data").c_str(), 0600), 0);
  fs::create_directory(temp_ / "EY/KEYD.data");
  fs::create_symlink("../outside", temp_ / "EY/KEYL.data");
  fs::create_directory_symlink("EY", temp_ / "EZ");
  for (const char* key : {"KEYF", "KEYD", "KEYL", "KEZS"}) {
    for (const Error& error : {store.block_bytes(key).error(), store.open_block(key).error(),
                               store.read_block(key, 100, buffer_).error()}) {
      EXPECT_TRUE(error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kChanged) << key << error.message;
      EXPECT_EQ(error.side, ErrorSide::kSource);
    }
  }
  const std::map<std::string, Scanned> found = scan(store);
  EXPECT_EQ(found.size(), 4u);
  for (const auto& [path, entry] : found) EXPECT_EQ(entry.kind, FlatfsEntryKind::kNotRegular) << path;
  EXPECT_TRUE(found.contains("EZ/"));
}

TEST_F(FlatfsStoreTest, LengthsAreChecked) {
  write_file(temp_ / "EY/KEYS.data", "0123456789");
  const FlatfsStore store = this->store();
  EXPECT_EQ(as_text(store.read_block("KEYS", 10, buffer_).value()), "0123456789");
  EXPECT_EQ(store.read_block("KEYS", 9, buffer_).error().code, ErrorCode::kCorrupt);
  buffer_.assign(100, 0xFF);
  EXPECT_EQ(as_text(store.read_block("KEYS", 10, buffer_).value()), "0123456789");
  EXPECT_EQ(buffer_.size(), 100u) << "a larger buffer is kept";
}

TEST_F(FlatfsStoreTest, AScanPassesOverLeftoversAndNamesBadNames) {
  fs::create_directory(temp_ / ".temp");
  write_file(temp_ / ".temp/temp-123.data", "x");
  write_file(temp_ / "EY/put-1", "x");
  write_file(temp_ / "EY/KEYS.data.tmp", "x");
  write_file(temp_ / "EY/lower.data", "x");
  write_file(temp_ / "EY/.data", "x");
  write_file(temp_ / "EY/KEYS.data", "xyz");
  const std::map<std::string, Scanned> expected = {{"EY/", {FlatfsEntryKind::kBadName, 1}},
                                                   {"EY/KEYS", {FlatfsEntryKind::kBlock, 3}},
                                                   {"EY/lower", {FlatfsEntryKind::kBadName, 1}}};
  EXPECT_EQ(scan(store()), expected);
}

TEST_F(FlatfsStoreTest, FindsABlockInTheWrongDirectory) {
  fs::create_directory(temp_ / "ZZ");
  write_file(temp_ / "ZZ/KEYS.data", "x");
  EXPECT_EQ(store().find_misplaced("KEYS").value(), (temp_ / "ZZ/KEYS.data").string());
  EXPECT_EQ(store().block_bytes("KEYS").error().code, ErrorCode::kNotFound);
}

TEST_F(FlatfsStoreTest, TheVisitorsErrorEndsTheScan) {
  write_file(temp_ / "EY/KEYS.data", "x");
  write_file(temp_ / "EY/LEYS.data", "x");
  int visits = 0;
  const Status status = store().scan([&](const FlatfsEntry&) -> Status {
    ++visits;
    return fail(ErrorCode::kCancelled, ErrorSide::kSource, "enough");
  });
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(visits, 1);
}

}  // namespace
}  // namespace piecework::io
