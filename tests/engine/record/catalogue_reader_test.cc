// A small catalogue, written row by row: spellings of CIDs, borders of prefixes, bytes of runs, parts in other pieces.
#include "engine/record/catalogue_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "engine/record/catalogue_writer.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using piecework::testing::TempDir;

Cid cid_of(std::string_view text, uint64_t codec = kCodecRaw, int version = 1) {
  return sha256_cid(version, codec, kernels::sha256(as_bytes(text)));
}

class CatalogueReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = CatalogueWriter::open(temp_ / "c");
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    writer_ = std::move(*opened);
  }

  uint64_t add_piece(std::string_view name) {
    Digest32 root = kernels::sha256(as_bytes(name));
    root[31] &= 0x3F;
    return writer_
        ->add_piece({.cid_v1 = piece_cid_v1_text(root), .cid_v2 = piece_cid_v2_text(root, 10'000),
                     .root = cid_of(name, kCodecDagPb), .payload_bytes = 10'000, .padded_bytes = 16'384})
        .value();
  }
  uint64_t add_content(uint64_t piece, const Cid& cid, uint64_t size, ContentKind kind = ContentKind::kFile) {
    return writer_->add_content(piece, {kind, size, 100, size + 40, cid.bytes()}).value();
  }
  void add_entry(std::string_view directory, std::string_view name, uint64_t content) {
    ASSERT_TRUE(writer_->add_entry(writer_->directory_id(directory).value(), name, content).has_value());
  }
  CatalogueReader reader() {
    EXPECT_TRUE(writer_->commit().has_value());
    return std::move(*CatalogueReader::open(temp_ / "c"));
  }

  TempDir temp_;
  std::unique_ptr<CatalogueWriter> writer_;
};

TEST_F(CatalogueReaderTest, FindsACidInBothSpellings) {
  const uint64_t piece = add_piece("p");
  add_entry("d", "x", add_content(piece, cid_of("x", kCodecDagPb, 0), 5));
  CatalogueReader catalogue = reader();
  for (const int version : {0, 1}) {
    const auto found = catalogue.find_cid(cid_of("x", kCodecDagPb, version));
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().path, "d/x");
  }
  EXPECT_TRUE(catalogue.find_cid(cid_of("x"))->empty());  // the same bytes as a raw block are another block
}

TEST_F(CatalogueReaderTest, PrefixesAreBytes) {
  const uint64_t piece = add_piece("p");
  const std::vector<std::string> names = {"a", "a\xff", "a\xff\xff", "b"};
  for (const std::string& name : names) {
    add_entry("", name, add_content(piece, cid_of(name), 1));
    add_entry(name, "z", add_content(piece, cid_of(name + "/z"), 1));
  }
  CatalogueReader catalogue = reader();
  const auto count = [&](std::string_view prefix) {
    size_t found = 0;
    EXPECT_TRUE(catalogue.visit_prefix(prefix, [&](const CatalogueEntry& entry) -> Status {
      EXPECT_TRUE(entry.path.starts_with(prefix));
      ++found;
      return {};
    }));
    return found;
  };
  EXPECT_EQ(count(""), 8u);
  EXPECT_EQ(count("a"), 6u);
  EXPECT_EQ(count("a\xff"), 4u);
  EXPECT_EQ(count("a/"), 1u);
  EXPECT_EQ(count("c"), 0u);
}

TEST_F(CatalogueReaderTest, ClipsRunsToWholeSections) {
  const uint64_t content = add_content(add_piece("p"), cid_of("f", kCodecDagPb), 250);
  add_entry("", "f", content);
  const CatalogueRange node{.file_offset_bytes = 0, .file_bytes = 250, .car_offset_bytes = 100, .car_bytes = 60};
  const CatalogueRange run{.file_offset_bytes = 0, .file_bytes = 250, .car_offset_bytes = 160, .car_bytes = 370,
                           .leaf_bytes = 100, .section_bytes = 140};
  ASSERT_TRUE(writer_->add_range(content, 0, node).has_value());
  ASSERT_TRUE(writer_->add_range(content, 1, run).has_value());
  CatalogueReader catalogue = reader();
  const CatalogueEntry file = catalogue.find_path("f")->front();
  struct Case {
    uint64_t begin, end, car_offset, car_bytes;
  };
  for (const Case& c : {Case{0, 1, 160, 140}, {99, 101, 160, 280}, {100, 200, 300, 140}, {200, 250, 440, 90},
                        {0, 250, 160, 370}, {249, 250, 440, 90}}) {
    const auto ranges = catalogue.ranges_of(file, c.begin, c.end);
    ASSERT_EQ(ranges->size(), 2u);
    EXPECT_EQ(ranges->at(1).car_offset_bytes, c.car_offset) << c.begin;
    EXPECT_EQ(ranges->at(1).car_bytes, c.car_bytes) << c.begin;
  }
  EXPECT_TRUE(catalogue.ranges_of(file, 250, 300)->empty());
}

TEST_F(CatalogueReaderTest, FindsPartsInOtherPieces) {
  const uint64_t join = add_piece("join");
  const uint64_t part = add_piece("part");
  const uint64_t whole = add_content(join, cid_of("whole", kCodecDagPb), 300);
  add_entry("d", "movie", whole);
  ASSERT_TRUE(writer_->add_external(whole, 0, 0, 200, cid_of("first").bytes()).has_value());
  ASSERT_TRUE(writer_->add_external(whole, 1, 200, 100, cid_of("nowhere").bytes()).has_value());
  add_entry("d", "movie", add_content(part, cid_of("stand-in", kCodecDagPb), 0, ContentKind::kDirectory));
  add_entry("d/movie", "00000000000000000000", add_content(part, cid_of("first"), 200));
  CatalogueReader catalogue = reader();
  const auto found = catalogue.find_path("d/movie");
  ASSERT_EQ(found->size(), 1u);  // not the directory that holds the part
  const auto ranges = catalogue.ranges_of(found->front(), 150, 250);
  ASSERT_EQ(ranges->size(), 3u);
  EXPECT_EQ(ranges->at(1).piece_id, part);
  EXPECT_EQ(ranges->at(1).file_bytes, 200u);
  EXPECT_FALSE(ranges->at(2).is_known);
  EXPECT_EQ(ranges->at(2).cid, cid_of("nowhere"));
}

TEST_F(CatalogueReaderTest, NothingCountsBeforeTheCommit) {
  add_piece("p");
  writer_.reset();
  auto again = CatalogueWriter::open(temp_ / "c");
  ASSERT_TRUE(again.has_value());
  Digest32 root = kernels::sha256(as_bytes("p"));
  root[31] &= 0x3F;
  const auto known = (*again)->find_piece({.cid_v1 = piece_cid_v1_text(root), .root = cid_of("p", kCodecDagPb)});
  ASSERT_TRUE(known.has_value());
  EXPECT_FALSE(known->has_value());
}

}  // namespace
}  // namespace piecework::engine
