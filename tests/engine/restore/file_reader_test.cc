// Ranges of files made by hand: the bytes, and that blocks outside a range are not looked for.
#include "engine/restore/file_reader.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/restore/open_cars.h"
#include "engine/restore/tree_walk.h"
#include "tests/engine/store/make_car.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::TempDir;

struct Child {
  Cid cid;
  uint64_t content_bytes = 0;
};

// A file of three leaves under two inner nodes: (aaaa bb) (ccccc), with "x" in the root itself.
class FileReaderTest : public ::testing::Test {
 protected:
  FileReaderTest() {
    const Child left = put_node("", {put_leaf("aaaa"), put_leaf("bb")});
    const Child right = put_node("", {put_leaf("ccccc")});
    root_ = put_node("x", {left, right});
  }

  void TearDown() override { reader_.reset(); }

  Child put_leaf(const std::string& content) {
    const Cid cid = testing::raw_cid(content);
    sections_[cid.text()] = testing::car_section(cid, content);
    return {cid, content.size()};
  }

  Child put_node(const std::string& content, const std::vector<Child>& children) {
    uint64_t total_bytes = content.size();
    std::string sizes;
    std::string links;
    for (const Child& child : children) {
      total_bytes += child.content_bytes;
      sizes += '\x20' + testing::varint_text(child.content_bytes);
      std::string link(pb_link_bytes(child.cid.bytes().size(), 0, 0), '\0');
      encode_pb_link(reinterpret_cast<uint8_t*>(link.data()), child.cid.bytes(), {}, {}, 0);
      links += link;
    }
    std::string message = "\x08\x02";
    if (!content.empty()) message += '\x12' + testing::varint_text(content.size()) + content;
    message += '\x18' + testing::varint_text(total_bytes) + sizes;
    const std::string block = links + '\x0a' + testing::varint_text(message.size()) + message;
    const Cid cid = sha256_cid(1, kCodecDagPb, kernels::sha256(as_bytes(block)));
    sections_[cid.text()] = testing::car_section(cid, block);
    return {cid, total_bytes};
  }

  BlockReader& open() {
    std::string car = testing::car_header({root_.cid});
    for (const auto& [cid, section] : sections_) car += section;
    testing::write_file(dir_ / "x.car", car);
    store_ = open_cars({(dir_ / "x.car").string()}, {.scratch_directory = dir_.path().string()}).value();
    reader_ = std::make_unique<BlockReader>(*store_);
    return *reader_;
  }

  Result<std::string> read(uint64_t begin_bytes, uint64_t end_bytes) {
    OpenedEntry root = open_entry(*reader_, root_.cid.view()).value();
    FileReader file(*reader_, root_.cid.view(), root.place, std::move(root.node), begin_bytes, end_bytes);
    std::string text;
    std::vector<uint8_t> buffer;
    for (;;) {
      PIECEWORK_ASSIGN(const std::optional<FileChunk> chunk, file.next());
      if (!chunk) return text;
      EXPECT_EQ(chunk->offset_bytes + chunk->skip_bytes, begin_bytes + text.size());
      ByteSpan wanted;
      PIECEWORK_TRY(read_chunk(*reader_, *chunk, buffer, wanted));
      text += as_text(wanted);
    }
  }

  TempDir dir_;
  std::map<std::string, std::string> sections_;
  Child root_;
  std::unique_ptr<CarStore> store_;
  std::unique_ptr<BlockReader> reader_;
};

TEST_F(FileReaderTest, EveryRange) {
  open();
  const std::string whole = "xaaaabbccccc";
  for (size_t begin = 0; begin <= whole.size(); ++begin) {
    for (size_t end = begin; end <= whole.size(); ++end) {
      const Result<std::string> found = read(begin, end);
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(*found, whole.substr(begin, end - begin)) << begin << "-" << end;
    }
  }
}

TEST_F(FileReaderTest, WhatIsOutsideIsNotLookedFor) {
  sections_.erase(put_leaf("bb").cid.text());
  open();
  EXPECT_EQ(read(0, 5).value(), "xaaaa");
  EXPECT_EQ(read(7, 12).value(), "ccccc");
  const Result<std::string> failed = read(4, 6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
}

TEST_F(FileReaderTest, AChildThatIsNotWhatItsParentSays) {
  Child liar = put_node("", {put_leaf("aaaa")});
  liar.content_bytes = 3;
  root_ = put_node("", {liar});
  open();
  const Result<std::string> failed = read(0, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace piecework::engine
