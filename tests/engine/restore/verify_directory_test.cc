// An output directory as `pack` leaves it, then damaged in one way at a time: what is said about which file, and what a
// quick check can and cannot see.
#include "engine/restore/verify_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/pack_job.h"
#include "engine/piece/piece_size.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

// Packs a small tree once; every test damages a copy.
class VerifyDirectory : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    packed_ = new TempDir;
    const fs::path source = *packed_ / "source";
    fs::create_directories(source / "sub");
    testing::write_deterministic_file(source / "large.bin", "verify-directory", 2'500'000);
    write_file(source / "sub" / "hello.txt", "hello");
    PackRequest request;
    request.sources = {{"source", source.string()}};
    request.output_path = (*packed_ / "out").string();
    const Result<PackReport> report = run_pack_job(request);
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(report->batches.size(), 1u);
    receipt_ = new Receipt(report->batches[0].receipt);
  }
  static void TearDownTestSuite() {
    delete receipt_;
    delete packed_;
  }

  void SetUp() override { fs::copy(*packed_ / "out", dir_ / "out", fs::copy_options::recursive); }

  fs::path file(const std::string& suffix) const { return dir_ / "out" / (receipt_->piece_cid_v1 + suffix); }
  fs::path receipt_path() const { return dir_ / "out" / "receipts" / receipt_->plan_digest / "0.json"; }

  VerifyReport verify(const VerifyOptions& options = {}) const {
    VerifyReport report;
    const Status status = verify_directory((dir_ / "out").string(), options, report);
    EXPECT_TRUE(status) << status.error().message;
    return report;
  }

  // The kinds of the problems that were found, without repetition, in order.
  static std::string kinds(const VerifyReport& report) {
    std::string text;
    for (const VerifyFinding& found : report.problems.kept()) {
      if (text.find(found.kind) == std::string::npos) text += (text.empty() ? "" : " ") + found.kind;
    }
    return text;
  }

  static void flip_byte(const fs::path& path, uint64_t offset_bytes) {
    std::string bytes = read_file(path);
    bytes[offset_bytes] = static_cast<char>(bytes[offset_bytes] ^ 0x10);
    write_file(path, bytes);
  }

  void replace_in_receipt(const std::string& from, const std::string& to) const {
    std::string text = read_file(receipt_path());
    const size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos) << from;
    write_file(receipt_path(), text.replace(place, from.size(), to));
  }

  static TempDir* packed_;
  static Receipt* receipt_;
  TempDir dir_;
};
TempDir* VerifyDirectory::packed_ = nullptr;
Receipt* VerifyDirectory::receipt_ = nullptr;

TEST_F(VerifyDirectory, WhatPackLeavesIsGood) {
  for (const bool quick : {false, true}) {
    const VerifyReport report = verify({.thread_count = 2, .quick = quick});
    EXPECT_TRUE(report.ok()) << kinds(report);
    EXPECT_EQ(report.warnings.count(), 0u);
    EXPECT_EQ(report.receipt_count, 1u);
    EXPECT_EQ(report.car_count, quick ? 0u : 1u);
    EXPECT_EQ(report.car_bytes, quick ? 0u : receipt_->payload_bytes);
  }
}

TEST_F(VerifyDirectory, MissingFilesAreFoundQuickly) {
  for (const char* suffix : {".tree", ".nodes", ".files.ndjson.zst", ".car"}) {
    const std::string kept = read_file(file(suffix));
    fs::remove(file(suffix));
    const VerifyReport report = verify({.quick = true});
    EXPECT_EQ(kinds(report), finding::kMissingFile) << suffix;
    EXPECT_EQ(report.problems.kept().at(0).piece, file(suffix)) << suffix;
    write_file(file(suffix), kept);
  }
}

TEST_F(VerifyDirectory, WithoutCarsIsGoodOnRequest) {
  fs::remove(file(".car"));
  EXPECT_TRUE(verify({.expect_cars = false}).ok());
}

TEST_F(VerifyDirectory, ADamagedCarIsFoundByReadingWithTheSegment) {
  flip_byte(file(".car"), kSegmentBytes + 5);
  EXPECT_TRUE(verify({.quick = true}).ok()) << "a quick check reads no CAR";
  const VerifyReport report = verify();
  EXPECT_EQ(kinds(report), "digest piece-cid tree");
  EXPECT_EQ(report.problems.kept().back().offset_bytes, kSegmentBytes) << "the second segment";
}

TEST_F(VerifyDirectory, AShortCarIsFoundQuickly) {
  fs::resize_file(file(".car"), receipt_->payload_bytes - 1);
  EXPECT_EQ(kinds(verify({.quick = true})), finding::kLength);
  EXPECT_EQ(kinds(verify()), "length framing");
}

TEST_F(VerifyDirectory, DamagedTreesAreFoundQuickly) {
  flip_byte(file(".tree"), 40);
  const VerifyReport report = verify({.quick = true});
  EXPECT_EQ(kinds(report), finding::kTree);
  EXPECT_EQ(report.problems.count(), 2u) << "its digest and the piece CID it leads to";
  fs::resize_file(file(".tree"), 64);
  EXPECT_EQ(kinds(verify({.quick = true})), finding::kTree);
}

TEST_F(VerifyDirectory, DamagedSidecarsAreFoundByReading) {
  for (const char* suffix : {".nodes", ".files.ndjson.zst"}) {
    const std::string kept = read_file(file(suffix));
    // The last bytes are the trailer's magic; before it lie index, frames, and in each a checksum.
    for (const size_t offset : {size_t{0}, size_t{9}, kept.size() / 3, kept.size() / 2, kept.size() - 40,
                                kept.size() - 24, kept.size() - 10, kept.size() - 1}) {
      flip_byte(file(suffix), offset);
      EXPECT_EQ(kinds(verify()), finding::kSidecar) << suffix << " at " << offset;
      write_file(file(suffix), kept);
    }
  }
}

TEST_F(VerifyDirectory, ReceiptsThatLieAreFound) {
  const std::string kept = read_file(receipt_path());
  const std::string blocks = "\"block_count\": " + std::to_string(receipt_->block_count);
  const std::string payload = "\"payload_bytes\": " + std::to_string(receipt_->payload_bytes);
  const struct {
    std::string from;
    std::string to;
    bool quick_sees_it;
  } kCases[] = {
      {blocks, "\"block_count\": 7777", false},
      {payload, "\"payload_bytes\": 18446744073709551615", true},
      {payload, "\"payload_bytes\": 1", true},
      {receipt_->root_cid, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", false},
      {"\"batch\": 0", "\"batch\": 1", true},
      {receipt_->piece_cid_v2, "bafkzcibcaabdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy", true},
      {receipt_->piece_cid_v1, "../../etc/passwd", true},
      {"\"format\": 1", "\"format\": 99", true},
  };
  for (const auto& c : kCases) {
    replace_in_receipt(c.from, c.to);
    EXPECT_NE(kinds(verify()).find(finding::kReceipt), std::string::npos) << c.to << ": " << kinds(verify());
    EXPECT_EQ(!verify({.quick = true}).ok(), c.quick_sees_it) << c.to;
    write_file(receipt_path(), kept);
  }
}

TEST_F(VerifyDirectory, ACarWithoutReceiptIsReadAndSaid) {
  fs::remove_all(dir_ / "out" / "receipts");
  const VerifyReport good = verify();
  EXPECT_TRUE(good.ok()) << kinds(good);
  ASSERT_EQ(good.warnings.count(), 1u);
  EXPECT_EQ(good.warnings.kept()[0].kind, finding::kNoReceipt);
  flip_byte(file(".car"), 1'000'000);
  EXPECT_FALSE(verify().ok());
}

TEST_F(VerifyDirectory, ADirectoryOfNothingIsNotFound) {
  fs::create_directory(dir_ / "empty");
  VerifyReport report;
  const Status status = verify_directory((dir_ / "empty").string(), {}, report);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace piecework::engine
