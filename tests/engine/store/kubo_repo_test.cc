// Kubo repositories: recognised, refused with the way round, and every block found by its multihash.
#include "engine/store/kubo_repo.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "engine/codec/multibase.h"
#include "kernels/sha256/sha256.h"
#include "tests/engine/codec/golden_cars.h"
#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TempDir;
using testing::vector_path;
using testing::write_file;

constexpr char kSpec[] =
    R"({"mounts":[{"mountpoint":"/blocks","path":"blocks","shardFunc":"/repo/flatfs/shard/v1/next-to-last/2",)"
    R"("type":"flatfs"},{"mountpoint":"/","path":"datastore","type":"levelds"}],"type":"mount"})";

// A repository around the blocks of tests/vectors/malformed/flatfs.
class DamagedRepo {
 public:
  DamagedRepo() {
    write_file(temp_ / "version", "18\n");
    write_file(temp_ / "datastore_spec", kSpec);
    fs::copy(vector_path("malformed/flatfs"), temp_ / "blocks", fs::copy_options::recursive);
  }
  const fs::path& path() const { return temp_.path(); }

 private:
  TempDir temp_;
};

Cid raw_cid_of_key(std::string_view key) {
  std::vector<uint8_t> bytes = {0x01, kCodecRaw};
  const std::vector<uint8_t> multihash = decode_base32_upper(key).value();
  bytes.insert(bytes.end(), multihash.begin(), multihash.end());
  return Cid(decode_cid(bytes).value());
}

TEST(KuboRepo, FindsAndReadsEveryBlockOfTheGoldenCars) {
  const struct {
    const char* repo;
    const char* car;
  } kCases[] = {{"public/flatfs-repo-basic", "public/basic.unixfs-v1-2025.car"},
                {"public/flatfs-repo-basic-v0-ntl3", "public/basic.unixfs-v0-2015.car"}};
  for (const auto& c : kCases) {
    ASSERT_TRUE(*KuboRepo::is_at(vector_path(c.repo)));
    const KuboRepo repo = KuboRepo::open(vector_path(c.repo)).value();
    EXPECT_EQ(repo.version(), 18u);
    EXPECT_EQ(repo.datastore().root.type, "levelds");
    EXPECT_EQ(repo.mount_path(repo.datastore().root), (vector_path(c.repo) / "datastore").string());
    const testing::LoadedCar car = testing::load_car(vector_path(c.car));
    std::vector<uint8_t> buffer;
    for (const CarBlock& block : car.blocks) {
      EXPECT_EQ(repo.find(block.cid).value(), block.data.size());
      EXPECT_EQ(as_text(repo.read(block.cid, DigestCheck::kCheck, buffer).value()), as_text(block.data));
    }
    EXPECT_GT(car.blocks.size(), 15u);
  }
}

TEST(KuboRepo, TheSameBytesAreFoundUnderEveryCodec) {
  const KuboRepo repo = KuboRepo::open(vector_path("public/flatfs-repo-basic")).value();
  const testing::LoadedCar car = testing::load_car(vector_path("public/basic.unixfs-v1-2025.car"));
  Digest32 digest;
  std::ranges::copy(car.blocks.front().cid.multihash.digest, digest.begin());
  for (const uint64_t codec : {kCodecRaw, kCodecDagPb, kCodecDagCbor}) {
    EXPECT_TRUE(repo.find(sha256_cid(1, codec, digest).view()));
  }
  EXPECT_TRUE(repo.find(sha256_cid(0, kCodecDagPb, digest).view()));
}

TEST(KuboRepo, IsRecognisedByTwoFiles) {
  const TempDir temp;
  EXPECT_FALSE(*KuboRepo::is_at(temp / "missing"));
  EXPECT_FALSE(*KuboRepo::is_at(temp.path()));
  write_file(temp / "version", "18\n");
  EXPECT_FALSE(*KuboRepo::is_at(temp.path()));
  EXPECT_FALSE(*KuboRepo::is_at(temp / "version"));
  write_file(temp / "datastore_spec", kSpec);
  EXPECT_TRUE(*KuboRepo::is_at(temp.path()));
}

TEST(KuboConfig, ReadsVersions) {
  EXPECT_EQ(parse_kubo_version("12").value(), 12u);
  EXPECT_EQ(parse_kubo_version("18\n").value(), 18u);
  for (const char* text : {"", "\n", "x", "18x", "-18", "1 8", "99999999999999"}) {
    EXPECT_EQ(parse_kubo_version(text).error().code, ErrorCode::kCorrupt) << text;
  }
  const Error error = parse_kubo_version("11\n").error();
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_EQ(error.side, ErrorSide::kConfig);
  EXPECT_NE(error.message.find("ipfs repo migrate"), std::string::npos);
}

TEST(KuboConfig, ReadsTheMountsThatMatter) {
  const KuboDatastoreSpec spec = parse_datastore_spec(kSpec).value();
  EXPECT_EQ(spec.blocks.path, "blocks");
  EXPECT_EQ(spec.blocks.shard_function, "/repo/flatfs/shard/v1/next-to-last/2");
  EXPECT_EQ(spec.root.type, "levelds");
  EXPECT_EQ(spec.root.path, "datastore");
  // Pins in pebble, blocks in a flatfs on another disk: fine, as long as the roots are named.
  const KuboDatastoreSpec mixed =
      parse_datastore_spec(R"({"type":"mount","mounts":[{"mountpoint":"/blocks","type":"flatfs","path":"/big/blocks",)"
                           R"("shardFunc":"x"},{"mountpoint":"/other","type":"mem"},)"
                           R"({"mountpoint":"/","type":"pebbleds","path":"pebbleds"}]})")
          .value();
  EXPECT_EQ(mixed.blocks.path, "/big/blocks");
  EXPECT_EQ(mixed.root.type, "pebbleds");
}

TEST(KuboConfig, RefusesOtherStoresWithTheWayRound) {
  for (const char* json :
       {R"({"path":"badgerds","type":"badgerds"})", R"({"path":"pebbleds","type":"pebbleds","formatMajorVersion":16})",
        R"({"type":"mount","mounts":[{"mountpoint":"/","type":"levelds","path":"datastore"}]})",
        R"({"type":"mount","mounts":[{"mountpoint":"/blocks","type":"s3ds","bucket":"b"}]})"}) {
    const Error error = parse_datastore_spec(json).error();
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << json;
    EXPECT_EQ(error.side, ErrorSide::kConfig);
    EXPECT_NE(error.message.find("ipfs dag export CID | piecework pack -"), std::string::npos) << error.message;
  }
}

TEST(KuboConfig, RefusesWhatIsNoSpec) {
  for (const std::string& json :
       {std::string(""), std::string("{"), std::string("[]"), std::string("null"), std::string("{}"),
        std::string(R"({"type":7})"), std::string(R"({"type":"mount"})"),
        std::string(R"({"type":"mount","mounts":{}})"),
        std::string(R"({"type":"mount","mounts":[7]})"),
        std::string(R"({"type":"mount","mounts":[{"mountpoint":"/blocks"}]})"),
        std::string(R"({"type":"mount","mounts":[{"mountpoint":"/blocks","type":"flatfs"}]})"),
        std::string(R"({"type":"mount","mounts":[{"mountpoint":"/","type":"a"},{"mountpoint":"/","type":"b"}]})"),
        std::string(60000, '['), R"({"type":"mount","x":)" + std::string(60000, '[') + "}"}) {
    const Result<KuboDatastoreSpec> spec = parse_datastore_spec(json);
    ASSERT_FALSE(spec) << json.substr(0, 80);
    EXPECT_EQ(spec.error().code, ErrorCode::kCorrupt) << json.substr(0, 80);
    EXPECT_EQ(spec.error().side, ErrorSide::kConfig);
  }
}

TEST(KuboRepo, SaysWhichFileItCannotUse) {
  const DamagedRepo repo;
  write_file(repo.path() / "version", "10\n");
  EXPECT_NE(KuboRepo::open(repo.path()).error().message.find((repo.path() / "version").string()), std::string::npos);
  write_file(repo.path() / "version", "18\n");
  std::string spec = kSpec;
  spec.replace(spec.find("last/2"), 6, "last/3");
  write_file(repo.path() / "datastore_spec", spec);
  const Error disagree = KuboRepo::open(repo.path()).error();
  EXPECT_EQ(disagree.code, ErrorCode::kCorrupt);
  EXPECT_NE(disagree.message.find("next-to-last/3"), std::string::npos) << disagree.message;
  EXPECT_NE(disagree.message.find("next-to-last/2"), std::string::npos) << disagree.message;
  fs::remove(repo.path() / "version");
  EXPECT_EQ(KuboRepo::open(repo.path()).error().code, ErrorCode::kNotFound);
}

// The verdicts of tests/vectors/malformed/MANIFEST.json on its flatfs entries.
TEST(KuboRepo, GivesTheVerdictsOfTheManifest) {
  const DamagedRepo damaged;
  const KuboRepo repo = KuboRepo::open(damaged.path()).value();
  std::map<std::string, StoreEntryKind> scanned;
  ASSERT_TRUE(repo.scan([&](const StoreEntry& entry) -> Status {
    scanned[std::string(entry.path)] = entry.kind;
    return {};
  }));
  std::vector<uint8_t> buffer;
  size_t checked = 0;
  const nlohmann::json manifest = testing::load_vectors("malformed/MANIFEST.json");
  for (const auto& row : manifest.at("flatfs")) {
    const std::string path = row.at("path");
    const std::string expect = row.at("expect");
    const std::string why = row.at("why");
    if (expect == "ignore") {
      EXPECT_FALSE(scanned.contains(path)) << why;
      continue;
    }
    ASSERT_TRUE(scanned.contains(path)) << path;
    ++checked;
    const std::string key = fs::path(path).stem();
    if (scanned[path] == StoreEntryKind::kBadName) {
      EXPECT_NE(why.find("base32"), std::string::npos);
      continue;
    }
    if (scanned[path] == StoreEntryKind::kCidKey) {
      EXPECT_NE(why.find("pre-v12"), std::string::npos);
      const Cid cid(decode_cid(decode_base32_upper(key).value()).value());
      EXPECT_EQ(repo.find(cid.view()).error().code, ErrorCode::kNotFound);
      const Error error = repo.explain_missing(cid.view());
      EXPECT_EQ(error.code, ErrorCode::kUnsupported);
      EXPECT_NE(error.message.find("ipfs repo migrate"), std::string::npos) << error.message;
      continue;
    }
    const Cid cid = raw_cid_of_key(key);
    const Result<ByteSpan> block = repo.read(cid.view(), DigestCheck::kCheck, buffer);
    EXPECT_EQ(block.has_value(), expect == "accept") << why;
    if (block) continue;
    EXPECT_NE(block.error().message.find(cid.text()), std::string::npos) << block.error().message;
    if (expect == "policy") {
      EXPECT_EQ(scanned[path], StoreEntryKind::kMisplaced) << why;
      EXPECT_EQ(block.error().code, ErrorCode::kNotFound);
      EXPECT_NE(repo.explain_missing(cid.view()).message.find(path), std::string::npos) << "said with the path";
    } else {
      EXPECT_EQ(block.error().code, ErrorCode::kCorrupt) << why;
      EXPECT_NE(block.error().message.find(key), std::string::npos) << block.error().message;
    }
  }
  EXPECT_EQ(checked, 6u);
}

TEST(KuboRepo, AnEmptyFileIsABlockOnlyWhereItsDigestSaysSo) {
  const DamagedRepo damaged;
  const KuboRepo repo = KuboRepo::open(damaged.path()).value();
  const Cid torn = raw_cid_of_key("CIQABTAQZRNLBKE7X5GYJIRJX4RU4443UYUUVAZNFQCCZ2GZUGKJZ5Y");
  EXPECT_EQ(repo.find(torn.view()).error().code, ErrorCode::kCorrupt);
  std::vector<uint8_t> buffer;
  EXPECT_EQ(repo.read(torn.view(), DigestCheck::kSkip, buffer).error().code, ErrorCode::kCorrupt);

  const KuboRepo whole = KuboRepo::open(vector_path("public/flatfs-repo-basic")).value();
  const Cid nothing = sha256_cid(1, kCodecRaw, kernels::sha256({}));
  EXPECT_EQ(whole.find(nothing.view()).value(), 0u);
  EXPECT_TRUE(whole.read(nothing.view(), DigestCheck::kCheck, buffer).value().empty());
}

TEST(KuboRepo, ABlockThatIsNowhereIsMissing) {
  const KuboRepo repo = KuboRepo::open(vector_path("public/flatfs-repo-basic")).value();
  const Cid cid = sha256_cid(1, kCodecDagPb, kernels::sha256(as_bytes("nowhere")));
  EXPECT_EQ(repo.find(cid.view()).error().code, ErrorCode::kNotFound);
  const Error error = repo.explain_missing(cid.view());
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_NE(error.message.find(cid.text()), std::string::npos);
}

TEST(KuboRepo, AnIdentityCidHasNoBlock) {
  const KuboRepo repo = KuboRepo::open(vector_path("public/flatfs-repo-basic")).value();
  const Cid cid = parse_cid("bafkqabiaaebagba").value();
  std::vector<uint8_t> buffer;
  EXPECT_EQ(repo.find(cid.view()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(repo.read(cid.view(), DigestCheck::kCheck, buffer).error().code, ErrorCode::kInvalidArgument);
}

TEST(KuboRepo, KeysAreBase32OfTheMultihash) {
  const Cid cid = parse_cid("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku").value();
  EXPECT_EQ(flatfs_key_of(cid.view().multihash), "CIQOHMGEIKMPYHAUTL57JSEZN64SIJ5OIHSGJG4TJSSJLGI3PBJLQVI");
}

TEST(KuboRepo, AScanGivesMultihashes) {
  const KuboRepo repo = KuboRepo::open(vector_path("public/flatfs-repo-basic")).value();
  size_t count = 0;
  ASSERT_TRUE(repo.scan([&](const StoreEntry& entry) -> Status {
    EXPECT_EQ(entry.kind, StoreEntryKind::kBlock);
    EXPECT_EQ(entry.multihash.code, kHashSha2_256);
    std::vector<uint8_t> cid = {0x01, kCodecRaw};
    cid.insert(cid.end(), entry.multihash_bytes.begin(), entry.multihash_bytes.end());
    EXPECT_EQ(repo.find(decode_cid(cid).value()).value(), entry.length_bytes);
    ++count;
    return {};
  }));
  EXPECT_GT(count, 15u);
}

}  // namespace
}  // namespace piecework::engine
