// Verdicts on CARs: every malformed vector by its manifest, every golden CAR, and what damage is called and where it
// lies.
#include "engine/restore/verify.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/piece_cid.h"
#include "engine/codec/unixfs.h"
#include "engine/restore/verify_index.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::TempDir;
using testing::vector_path;

struct Verdict {
  CarFacts facts;
  VerifyReport report;
};

Verdict verify(const std::filesystem::path& path, const VerifyOptions& options = {}) {
  Verdict verdict;
  Result<CarFacts> facts = verify_car(path.string(), options, verdict.report);
  EXPECT_TRUE(facts) << path << ": " << facts.error().message;
  if (facts) verdict.facts = std::move(*facts);
  return verdict;
}

std::string text_of(const Findings& findings) {
  std::string text;
  for (const VerifyFinding& found : findings.kept()) {
    text += "\n  " + found.kind + " at " + std::to_string(found.offset_bytes.value_or(0)) + " \"" + found.path + "\" " +
            found.cid + ": expected " + found.expected + ", found " + found.actual;
  }
  return text;
}

bool has_kind(const Findings& findings, std::string_view kind) {
  for (const VerifyFinding& found : findings.kept()) {
    if (found.kind == kind) return true;
  }
  return false;
}

// What formats.md 11 decides for the rows that formats leave open.
bool policy_accepts(const std::string& file) {
  static const std::map<std::string, bool> kPolicy = {
      {"13-zero-padding-tail.car", false}, {"16-block-9MiB.car.recipe.txt", true},
      {"28-header-empty-roots.car", true}, {"49-cid-identity-huge.car", false},
      {"56-dup-roots.car", true},          {"67-name-bad-utf8.car", true},
      {"71-symlink-escape.car", true},     {"87-dagpb-no-data.car", true},
      {"a6-hamt-prefix-lower.car", true},  {"a8-hamt-wrong-bucket.car", true},
      {"c6-carv2-bad-index.car", true},
  };
  return kPolicy.at(file);
}

void append_section(std::string& car, const Cid& cid, std::string_view data) {
  std::string length(varint_bytes(cid.bytes().size() + data.size()), '\0');
  encode_varint(reinterpret_cast<uint8_t*>(length.data()), cid.bytes().size() + data.size());
  car.append(length).append(as_text(cid.bytes())).append(data);
}

std::string car_header(const Cid& root) {
  std::string header(car_v1_header_bytes(root.bytes().size()), '\0');
  encode_car_v1_header(reinterpret_cast<uint8_t*>(header.data()), root.bytes());
  return header;
}

Cid raw_cid(std::string_view data) { return sha256_cid(1, kCodecRaw, kernels::sha256(as_bytes(data))); }

// As raw_cid, with the codec's two bytes instead of raw's one.
Cid dag_json_cid(std::string_view data) {
  const Cid raw = raw_cid(data);
  const std::string bytes = std::string("\x01\xa9\x02").append(as_text(raw.bytes()).substr(2));
  return Cid(*decode_cid(as_bytes(bytes)));
}

// A CAR of one raw block of `block_bytes` zeros.
std::string zero_block_car(size_t block_bytes) {
  const std::string data(block_bytes, '\0');
  std::string car = car_header(raw_cid(data));
  append_section(car, raw_cid(data), data);
  return car;
}

TEST(Verify, GivesEveryMalformedCarItsVerdict) {
  const TempDir dir;
  const nlohmann::json manifest = testing::load_vectors("malformed/MANIFEST.json");
  size_t checked = 0;
  for (const auto& row : manifest["cars"]) {
    const std::string file = row["file"];
    const std::string expect = row["expect"];
    std::filesystem::path path = vector_path("malformed/" + file);
    if (file == "16-block-9MiB.car.recipe.txt") {
      path = dir / "16-block-9MiB.car";
      testing::write_file(path, zero_block_car(9 * kMiB));
    }
    const bool accepts = expect == "policy" ? policy_accepts(file) : expect != "reject";
    const Verdict verdict = verify(path);
    EXPECT_EQ(verdict.report.ok(), accepts)
        << file << " (" << expect << "): " << row["why"] << text_of(verdict.report.problems);
    ++checked;
  }
  EXPECT_EQ(checked, 109u);
}

TEST(Verify, WarnsOfWhatItAcceptsButOthersRefuse) {
  const struct {
    const char* file;
    const char* kind;
  } kCases[] = {
      {"28-header-empty-roots.car", finding::kNoRoots},
      {"60-name-dotdot.car", finding::kName},
      {"61-name-dot.car", finding::kName},
      {"62-name-slash.car", finding::kName},
      {"63-name-absolute.car", finding::kName},
      {"64-name-nul.car", finding::kName},
      {"65-name-empty.car", finding::kName},
      {"66-name-too-long.car", finding::kName},
      {"68-dup-names.car", finding::kName},
      {"70-symlink-then-dir-same-name.car", finding::kName},
      {"72-symlink-nul.car", finding::kName},
      {"87-dagpb-no-data.car", finding::kNotUnixfs},
      {"a6-hamt-prefix-lower.car", finding::kHamtPlace},
      {"a8-hamt-wrong-bucket.car", finding::kHamtPlace},
  };
  for (const auto& c : kCases) {
    const Verdict verdict = verify(vector_path(std::string("malformed/") + c.file));
    EXPECT_TRUE(has_kind(verdict.report.warnings, c.kind)) << c.file << text_of(verdict.report.warnings);
  }
  const Verdict control = verify(vector_path("malformed/00-control-good.car"));
  EXPECT_EQ(control.report.warnings.count(), 1u) << text_of(control.report.warnings);
}

TEST(Verify, AcceptsEveryGoldenCarAndItsOrderAndPiece) {
  size_t checked = 0;
  for (const auto& tree : testing::load_vectors("public/unixfs-trees.json")) {
    if (!tree.contains("carFile") || tree["carFile"].is_null()) continue;
    for (const unsigned thread_count : {1u, 2u}) {
      const Verdict verdict =
          verify(vector_path("public/" + tree["carFile"].get<std::string>()), {.thread_count = thread_count});
      EXPECT_TRUE(verdict.report.ok()) << tree["carFile"] << text_of(verdict.report.problems);
      EXPECT_EQ(verdict.report.warnings.count(), 0u) << tree["carFile"] << text_of(verdict.report.warnings);
      EXPECT_TRUE(verdict.facts.is_dfs_preorder) << tree["carFile"];
      EXPECT_EQ(verdict.facts.block_count, tree["carDfs"]["blocks"]);
      EXPECT_EQ(verdict.facts.car_bytes, tree["carDfs"]["bytes"]);
      EXPECT_EQ(piece_cid_v1_text(verdict.facts.commp), tree["carDfs"]["pieceV1"]);
      EXPECT_EQ(verdict.facts.padded_bytes, tree["carDfs"]["paddedSize"]);
      ASSERT_EQ(verdict.facts.roots.size(), 1u);
      EXPECT_EQ(verdict.facts.roots[0].text(), tree["root"]);
    }
    ++checked;
  }
  EXPECT_GE(checked, 10u);
}

TEST(Verify, NamesTheFileThatEveryFlippedByteDamages) {
  const TempDir dir;
  const std::string car = testing::read_file(vector_path("public/basic.tiny.car"));
  for (size_t i = 0; i < car.size(); i += 61) {
    std::string damaged = car;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    testing::write_file(dir / "damaged.car", damaged);
    const Verdict verdict = verify(dir / "damaged.car");
    EXPECT_FALSE(verdict.report.ok()) << "byte " << i;
  }
}

TEST(Verify, AMissingBlockIsNamedByPathCidAndParent) {
  const TempDir dir;
  const std::string car = testing::read_file(vector_path("public/basic.tiny.car"));
  // Leave out the last section, a file's block.
  size_t last_offset = 0;
  for (size_t offset = 0; offset < car.size();) {
    const DecodedVarint length = decode_varint(as_bytes(car).subspan(offset));
    last_offset = offset;
    offset += length.length_bytes + static_cast<size_t>(length.value);
  }
  testing::write_file(dir / "cut.car", car.substr(0, last_offset));
  const Verdict verdict = verify(dir / "cut.car");
  ASSERT_EQ(verdict.report.problems.count(), 1u) << text_of(verdict.report.problems);
  const VerifyFinding& found = verdict.report.problems.kept()[0];
  EXPECT_EQ(found.kind, finding::kMissingBlock);
  EXPECT_FALSE(found.path.empty());
  EXPECT_TRUE(parse_cid(found.cid)) << found.cid;
  ASSERT_TRUE(found.offset_bytes);
  EXPECT_LT(*found.offset_bytes, last_offset);
}

TEST(Verify, ADamagedBlockIsNamedByPathCidAndOffset) {
  const TempDir dir;
  std::string car = testing::read_file(vector_path("public/basic.tiny.car"));
  car.back() = static_cast<char>(car.back() ^ 1);
  testing::write_file(dir / "flipped.car", car);
  const Verdict verdict = verify(dir / "flipped.car");
  ASSERT_GE(verdict.report.problems.count(), 1u);
  const VerifyFinding& found = verdict.report.problems.kept()[0];
  EXPECT_EQ(found.kind, finding::kDigest);
  EXPECT_FALSE(found.path.empty());
  EXPECT_EQ(found.expected.size(), 64u);
  EXPECT_EQ(found.actual.size(), 64u);
  EXPECT_NE(found.expected, found.actual);
}

TEST(Verify, ANameOfAnotherPieceIsAProblem) {
  const TempDir dir;
  const std::string car = testing::read_file(vector_path("public/basic.tiny.car"));
  testing::write_file(dir / "plain.car", car);
  const std::string piece = piece_cid_v1_text(verify(dir / "plain.car").facts.commp);
  testing::write_file(dir / (piece + ".car"), car);
  EXPECT_TRUE(verify(dir / (piece + ".car")).report.ok());
  const std::string other = piece_cid_v1_text(Digest32{});
  testing::write_file(dir / (other + ".car"), car);
  const Verdict verdict = verify(dir / (other + ".car"));
  ASSERT_EQ(verdict.report.problems.count(), 1u);
  EXPECT_EQ(verdict.report.problems.kept()[0].kind, finding::kPieceCid);
  EXPECT_EQ(verdict.report.problems.kept()[0].expected, other);
  EXPECT_EQ(verdict.report.problems.kept()[0].actual, piece);
}

TEST(Verify, OtherOrdersAreAcceptedAndTold) {
  // The golden CAR with its last two sections swapped: valid, but not what `ipfs dag export` writes.
  const TempDir dir;
  const std::string car = testing::read_file(vector_path("public/basic.tiny.car"));
  std::vector<size_t> borders;
  for (size_t offset = 0; offset < car.size();) {
    borders.push_back(offset);
    const DecodedVarint length = decode_varint(as_bytes(car).subspan(offset));
    offset += length.length_bytes + static_cast<size_t>(length.value);
  }
  const size_t last = borders[borders.size() - 1];
  const size_t before_last = borders[borders.size() - 2];
  testing::write_file(dir / "swapped.car",
                      car.substr(0, before_last) + car.substr(last) + car.substr(before_last, last - before_last));
  const Verdict swapped = verify(dir / "swapped.car");
  EXPECT_TRUE(swapped.report.ok()) << text_of(swapped.report.problems);
  EXPECT_FALSE(swapped.facts.is_dfs_preorder);
  EXPECT_FALSE(verify(vector_path("malformed/53-dup-blocks.car")).facts.is_dfs_preorder);
  EXPECT_EQ(verify(vector_path("malformed/53-dup-blocks.car")).facts.duplicate_count, 1u);
  EXPECT_FALSE(verify(vector_path("malformed/55-two-roots.car")).facts.is_dfs_preorder);
}

TEST(Verify, LinksOfDagJsonAreFollowed) {
  const TempDir dir;
  const std::string first = "first";
  const std::string second = "second";
  const std::string node =
      R"({"a":{"/":")" + raw_cid(first).text() + R"("},"b":[{"/":")" + raw_cid(second).text() + R"("}]})";
  const Cid root = dag_json_cid(node);
  std::string car = car_header(root);
  append_section(car, root, node);
  append_section(car, raw_cid(first), first);
  testing::write_file(dir / "short.car", car);
  const Verdict incomplete = verify(dir / "short.car");
  ASSERT_TRUE(has_kind(incomplete.report.problems, finding::kMissingBlock));
  EXPECT_EQ(incomplete.report.problems.kept()[0].cid, raw_cid(second).text());

  append_section(car, raw_cid(second), second);
  testing::write_file(dir / "whole.car", car);
  const Verdict whole = verify(dir / "whole.car");
  EXPECT_TRUE(whole.report.ok()) << text_of(whole.report.problems);
  EXPECT_TRUE(whole.facts.is_dfs_preorder);
  EXPECT_FALSE(has_kind(whole.report.warnings, finding::kUnreachable)) << text_of(whole.report.warnings);
}

TEST(Verify, TheSameBytesAsRawAndAsDagPbAreTwoBlocks) {
  // A directory whose bytes are linked as a raw file too: only the dag-pb one has children, and they must be there.
  const TempDir dir;
  const std::string child = "child";
  std::string node(pb_link_bytes(36, 1, 5) + pb_data_bytes(2), '\0');
  auto* end = encode_pb_link(reinterpret_cast<uint8_t*>(node.data()), raw_cid(child).bytes(), "", "c", 5);
  end = encode_pb_data_header(end, 2);
  encode_unixfs_directory(end);
  const Cid as_raw = raw_cid(node);
  const Cid as_node = sha256_cid(1, kCodecDagPb, kernels::sha256(as_bytes(node)));

  std::string only_raw = car_header(as_raw);
  append_section(only_raw, as_raw, node);
  testing::write_file(dir / "raw.car", only_raw);
  EXPECT_TRUE(verify(dir / "raw.car").report.ok());

  std::string other_cid = car_header(as_node);
  append_section(other_cid, as_raw, node);
  append_section(other_cid, raw_cid(child), child);
  testing::write_file(dir / "other.car", other_cid);
  EXPECT_TRUE(has_kind(verify(dir / "other.car").report.problems, finding::kMissingRoot));

  std::string childless = car_header(as_node);
  append_section(childless, as_node, node);
  append_section(childless, as_raw, node);
  testing::write_file(dir / "childless.car", childless);
  const Verdict verdict = verify(dir / "childless.car");
  ASSERT_TRUE(has_kind(verdict.report.problems, finding::kMissingBlock));
  EXPECT_EQ(verdict.report.problems.kept()[0].path, "c");
}

TEST(Verify, LargeBlocksAreAcceptedWithAWarningUpTo32MiB) {
  const TempDir dir;
  testing::write_file(dir / "large.car", zero_block_car(9 * kMiB));
  const Verdict large = verify(dir / "large.car");
  EXPECT_TRUE(large.report.ok());
  EXPECT_TRUE(has_kind(large.report.warnings, finding::kLargeBlock));
  testing::write_file(dir / "limit.car", zero_block_car(32 * kMiB));
  EXPECT_TRUE(verify(dir / "limit.car").report.ok());
  testing::write_file(dir / "over.car", zero_block_car(32 * kMiB + 1));
  EXPECT_FALSE(verify(dir / "over.car").report.ok());
}

TEST(Verify, ZeroTailIsAcceptedOnRequest) {
  EXPECT_TRUE(verify(vector_path("malformed/13-zero-padding-tail.car"), {.zero_tail = true}).report.ok());
}

TEST(Verify, TheIndexKeepsToItsMemory) {
  VerifyReport report;
  const Result<CarFacts> facts =
      verify_car(vector_path("public/basic.tiny.car").string(), {.memory_bytes = 10 * sizeof(BlockEntry)}, report);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, ErrorCode::kResourceExhausted);
}

TEST(Verify, StopsOnRequestAndRefusesWhatIsNoFile) {
  VerifyReport report;
  const std::atomic<bool> stop = true;
  const Result<CarFacts> stopped = verify_car(vector_path("public/basic.tiny.car").string(), {.stop = &stop}, report);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(verify_car("/dev/null", {}, report).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(verify_car("/nonexistent", {}, report).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace piecework::engine
