// Pins and the MFS root of a repository that kubo made, and pin records of every wrong kind.
#include "engine/store/kubo_pins.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <leveldb/c.h>
#include <sys/file.h>

#include <array>
#include <filesystem>
#include <set>
#include <tuple>

#include "engine/codec/block_links.h"
#include "engine/codec/dag_cbor.h"
#include "io/file.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"
#include "tests/engine/codec/hex_bytes.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

namespace fs = std::filesystem;
using testing::hex;
using testing::TempDir;
using testing::vector_path;
using testing::write_file;

const std::string kCidHex = "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kCidField = "63636964" "5822" + kCidHex;  // "cid": bytes
const std::string kRecursive = "646d6f6465" "00";           // "mode": 0
const std::string kDirect = "646d6f6465" "01";
const std::string kNamed = "646e616d65" "64736974" "65";    // "name": "site"

Result<PinRecord> decode(const std::vector<uint8_t>& record) { return decode_pin_record(record); }

TEST(PinRecord, ReadsWhatKuboWrites) {
  const std::vector<uint8_t> plain = hex("a2" + kCidField + kRecursive);
  EXPECT_EQ(to_hex(decode(plain).value().cid.bytes), kCidHex);
  EXPECT_EQ(decode(plain).value().mode, PinMode::kRecursive);
  EXPECT_EQ(decode(plain).value().name, "");
  // Metadata stands between cid and mode: neither the order of dag-cbor nor that of the alphabet.
  const std::vector<uint8_t> full =
      hex("a4" + kCidField + "686d65746164617461" "a2" "6161" "8201a0" "6162" "a16178f6" + kDirect + kNamed);
  EXPECT_EQ(decode(full).value().mode, PinMode::kDirect);
  EXPECT_EQ(decode(full).value().name, "site");
}

TEST(PinRecord, RefusesEverythingElse) {
  const struct {
    const char* why;
    std::string record;
  } kCases[] = {
      {"nothing", ""},
      {"no map", "80"},
      {"empty map", "a0"},
      {"no mode", "a1" + kCidField},
      {"no cid", "a1" + kRecursive},
      {"cid twice", "a3" + kCidField + kCidField + kRecursive},
      {"mode twice", "a3" + kCidField + kRecursive + kDirect},
      {"unknown field", "a3" + kCidField + kRecursive + "6178" "00"},
      {"mode 2", "a2" + kCidField + "646d6f6465" "02"},
      {"mode is text", "a2" + kCidField + "646d6f6465" "6130"},
      {"negative mode", "a2" + kCidField + "646d6f6465" "20"},
      {"name is bytes", "a3" + kCidField + kRecursive + "646e616d65" "4173"},
      {"cid is text", "a2" "63636964" "6161" + kRecursive},
      {"cid is a link", "a2" "63636964" "d82a5823" "00" + kCidHex + kRecursive},
      {"cid is cut", "a2" "63636964" "5821" + kCidHex.substr(0, 66) + kRecursive},
      {"cid has a tail", "a2" "63636964" "5823" + kCidHex + "00" + kRecursive},
      {"cid is empty", "a2" "63636964" "40" + kRecursive},
      {"bytes after it", "a2" + kCidField + kRecursive + "00"},
      {"cut in the key", "a2" + kCidField + "646d6f"},
      {"indefinite map", "bf" + kCidField + kRecursive + "ff"},
      {"map of 2^64-1", "bbffffffffffffffff" + kCidField + kRecursive},
      {"key not minimal", "a2" "7803636964" "5822" + kCidHex + kRecursive},
      {"metadata of 2^63 items", "a3" + kCidField + "686d65746164617461" "9b8000000000000000" + kRecursive},
      {"metadata map of 2^63 items", "a3" + kCidField + "686d65746164617461" "bb8000000000000000" + kRecursive},
      {"metadata with a tag", "a3" + kCidField + "686d65746164617461" "c100" + kRecursive},
  };
  for (const auto& c : kCases) {
    const Result<PinRecord> pin = decode(hex(c.record));
    ASSERT_FALSE(pin) << c.why;
    EXPECT_EQ(pin.error().code, ErrorCode::kCorrupt) << c.why;
    EXPECT_EQ(pin.error().side, ErrorSide::kSource) << c.why;
  }
}

TEST(PinRecord, MetadataMayNestToALimit) {
  const auto nested = [](size_t depth) {
    std::string metadata;
    for (size_t i = 0; i + 1 < depth; ++i) metadata += "81";
    return hex("a3" + kCidField + "686d65746164617461" + metadata + "80" + kRecursive);
  };
  EXPECT_TRUE(decode(nested(kPinDepthMax)));
  EXPECT_FALSE(decode(nested(kPinDepthMax + 1)));
  EXPECT_FALSE(decode(nested(100'000)));
}

// ---- A repository of kubo's: tests/vectors/kubo ----

using Root = std::tuple<std::string, std::string, std::string>;  // CID, kind, name

Result<std::set<Root>> roots_of(const fs::path& repo_path) {
  PIECEWORK_ASSIGN(const KuboRepo repo, KuboRepo::open(repo_path));
  const TempDir scratch;
  std::set<Root> roots;
  PIECEWORK_TRY(visit_kubo_roots(repo, scratch.path(), [&roots](const KuboRoot& root) -> Status {
    const char* kind = root.kind == KuboRootKind::kMfsRoot         ? "mfs"
                       : root.kind == KuboRootKind::kRecursivePin ? "recursive"
                                                                  : "direct";
    EXPECT_TRUE(roots.emplace(cid_text(root.cid.bytes), kind, root.name).second);
    return {};
  }));
  EXPECT_TRUE(fs::is_empty(scratch.path()));
  return roots;
}

class KuboPinsTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::copy(vector_path("kubo/repo"), repo_path(), fs::copy_options::recursive); }
  fs::path repo_path() const { return temp_ / "repo"; }

  // The error of reading the roots: the source's, and with what to do instead.
  Error error() const {
    const Result<std::set<Root>> roots = roots_of(repo_path());
    EXPECT_FALSE(roots);
    if (roots) return {};
    EXPECT_EQ(roots.error().side, ErrorSide::kSource);
    EXPECT_NE(roots.error().message.find("--roots FILE"), std::string::npos) << roots.error().message;
    return roots.error();
  }

  // Adds an entry with leveldb itself.
  void put(std::string_view key, std::string_view value) const {
    leveldb_options_t* options = leveldb_options_create();
    leveldb_writeoptions_t* write_options = leveldb_writeoptions_create();
    char* message = nullptr;
    leveldb_t* database = leveldb_open(options, (repo_path() / "datastore").c_str(), &message);
    ASSERT_EQ(message, nullptr) << message;
    leveldb_put(database, write_options, key.data(), key.size(), value.data(), value.size(), &message);
    ASSERT_EQ(message, nullptr) << message;
    leveldb_close(database);
    leveldb_writeoptions_destroy(write_options);
    leveldb_options_destroy(options);
  }

  TempDir temp_;
};

TEST_F(KuboPinsTest, FindsThePinsAndTheMfsRootThatKuboLists) {
  const nlohmann::json expected = testing::load_vectors("kubo/expected.json");
  std::set<Root> roots;
  for (const auto& pin : expected.at("pins")) roots.emplace(pin.at("cid"), pin.at("mode"), pin.at("name"));
  roots.emplace(expected.at("mfs_root"), "mfs", "");
  EXPECT_EQ(roots.size(), 7u);
  EXPECT_EQ(roots_of(repo_path()).value(), roots);
}

TEST_F(KuboPinsTest, AsksForRootsWhereADaemonRuns) {
  const io::UniqueFd lock(::open((repo_path() / "datastore/LOCK").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_EQ(error().code, ErrorCode::kUnavailable);
}

TEST_F(KuboPinsTest, AsksForRootsWhereTheDatastoreIsNoLeveldb) {
  fs::remove_all(repo_path() / "datastore");
  EXPECT_EQ(error().code, ErrorCode::kNotFound);
  fs::create_directory(repo_path() / "datastore");
  EXPECT_EQ(error().code, ErrorCode::kUnsupported);
  std::string spec = testing::read_file(repo_path() / "datastore_spec");
  spec.replace(spec.find("levelds"), 7, "pebbleds");
  write_file(repo_path() / "datastore_spec", spec);
  EXPECT_EQ(error().code, ErrorCode::kUnsupported);
  EXPECT_NE(error().message.find("pebbleds"), std::string::npos);
}

TEST_F(KuboPinsTest, NamesThePinThatIsDamaged) {
  put("/pins/pin/zz-damaged", "\xa1");
  EXPECT_EQ(error().code, ErrorCode::kCorrupt);
  EXPECT_NE(error().message.find("/pins/pin/zz-damaged"), std::string::npos) << error().message;
}

TEST_F(KuboPinsTest, NamesAnMfsRootThatIsDamaged) {
  put("/local/filesroot", "no CID");
  EXPECT_EQ(error().code, ErrorCode::kCorrupt);
  EXPECT_NE(error().message.find("/local/filesroot"), std::string::npos) << error().message;
}

// Appends varint(length) CID data.
void append_section(kernels::Sha256& car, uint64_t& car_bytes, ByteSpan cid, ByteSpan data) {
  std::array<uint8_t, kVarintBytesMax> length;
  const ByteSpan prefix(length.data(), encode_varint(length.data(), cid.size() + data.size()));
  for (const ByteSpan part : {prefix, cid, data}) {
    car.append(part);
    car_bytes += part.size();
  }
}

// Links, lookups and whole CIDs together: depth first, each CID once, is what `ipfs dag export` wrote.
TEST_F(KuboPinsTest, AWalkOverItsBlocksIsWhatDagExportWrites) {
  const KuboRepo repo = KuboRepo::open(repo_path()).value();
  const nlohmann::json expected = testing::load_vectors("kubo/expected.json");
  std::vector<uint8_t> buffer;
  std::vector<Cid> links;
  for (const auto& row : expected.at("exports")) {
    std::vector<Cid> stack = {parse_cid(row.at("root").get<std::string>()).value()};
    std::vector<uint8_t> header(car_v1_header_bytes(stack.back().bytes().size()));
    encode_car_v1_header(header.data(), stack.back().bytes());
    kernels::Sha256 car;
    car.append(header);
    uint64_t car_bytes = header.size();
    std::set<Cid> seen;
    while (!stack.empty()) {
      const Cid cid = stack.back();
      stack.pop_back();
      if (!seen.insert(cid).second) continue;
      // kubo writes a section for an identity CID too, with the data that the CID holds.
      const Result<ByteSpan> block = cid.view().is_identity() ? cid.view().multihash.digest
                                                              : repo.read(cid.view(), DigestCheck::kCheck, buffer);
      ASSERT_TRUE(block) << block.error().message;
      append_section(car, car_bytes, cid.bytes(), *block);
      ASSERT_TRUE(list_block_links(cid.view().codec, *block, links));
      stack.insert(stack.end(), links.rbegin(), links.rend());
    }
    EXPECT_EQ(car_bytes, row.at("bytes").get<uint64_t>()) << row;
    EXPECT_EQ(to_hex(car.finish()), row.at("sha256").get<std::string>()) << row;
  }
}

}  // namespace
}  // namespace piecework::engine
