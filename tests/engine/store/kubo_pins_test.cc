// Pins and the MFS root of a repository that kubo made, and pin records of every wrong kind.
#include "engine/store/kubo_pins.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "engine/codec/block_links.h"
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

}  // namespace
}  // namespace piecework::engine
