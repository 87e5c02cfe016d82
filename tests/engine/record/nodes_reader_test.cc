// Sidecars of nodes as the writer makes them, read whole and by ranges; and cut, flipped and contradicting ones.
#include "engine/record/nodes_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "engine/record/nodes_writer.h"
#include "engine/record/zstd_frame.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

using piecework::testing::TempDir;

constexpr uint64_t kHeaderBytes = 59;

struct Section {
  uint64_t offset_bytes = 0;
  uint64_t section_bytes = 0;
  bool is_node = false;
  Cid cid;
  std::vector<uint8_t> block;  // nodes only

  friend bool operator==(const Section&, const Section&) = default;
};

Section section_of(const NodesEntry& entry) {
  return {entry.car_offset_bytes, entry.section_bytes, entry.kind == NodesEntryKind::kNode, Cid(entry.cid),
          {entry.block.begin(), entry.block.end()}};
}

class NodesReaderTest : public ::testing::Test {
 protected:
  // Every third section is a node; one node is larger than a frame.
  void SetUp() override {
    std::vector<uint8_t> spool;
    uint64_t offset_bytes = kHeaderBytes;
    for (size_t i = 0; i < 300; ++i) {
      Section section;
      section.is_node = i % 3 == 0;
      const size_t block_bytes = i == 150 ? 3 * kNodesFrameBytes / 2 : 1000 + 97 * (i % 200);
      const std::vector<uint8_t> block = piecework::testing::deterministic_bytes(std::to_string(i), block_bytes);
      section.cid = sha256_cid(1, section.is_node ? kCodecDagPb : kCodecRaw, kernels::sha256(block));
      const uint64_t length = section.cid.bytes().size() + block_bytes;
      section.offset_bytes = offset_bytes;
      section.section_bytes = varint_bytes(length) + length;
      offset_bytes += section.section_bytes;
      spool.push_back(section.is_node ? 0 : 1);
      spool.resize(spool.size() + varint_bytes(length));
      encode_varint(spool.data() + spool.size() - varint_bytes(length), length);
      spool.insert(spool.end(), section.cid.bytes().begin(), section.cid.bytes().end());
      if (section.is_node) spool.insert(spool.end(), block.begin(), block.end());
      if (section.is_node) section.block = block;
      sections_.push_back(std::move(section));
    }
    write_sidecar(spool);
  }

  void write_sidecar(ByteSpan spool_bytes) {
    const auto directory = io::OutputDirectory::open_or_create(temp_.path());
    auto spool = std::move(**io::PublishedFile::open(*directory, "spool", io::PublishedFile::Mode::kFresh));
    auto target = std::move(**io::PublishedFile::open(*directory, "nodes", io::PublishedFile::Mode::kFresh));
    ASSERT_TRUE(spool.write(spool_bytes, 0).has_value());
    ASSERT_TRUE(NodesSpool(spool).finish(spool_bytes.size(), kHeaderBytes, target, nullptr).has_value());
    ASSERT_TRUE(target.commit("x.nodes").has_value());
    bytes_ = piecework::testing::read_file(temp_ / "x.nodes");
  }

  static Status read_all(const std::string& path, std::vector<Section>& sections) {
    PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(NodesReader reader, NodesReader::open(file));
    return reader.visit_all([&](const NodesEntry& entry) -> Status {
      sections.push_back(section_of(entry));
      return {};
    });
  }

  Status read_changed(const std::string& bytes) {
    piecework::testing::write_file(temp_ / "changed.nodes", bytes);
    std::vector<Section> sections;
    return read_all(temp_ / "changed.nodes", sections);
  }

  // The index as records, and the file with another one in its place.
  std::vector<NodesFrameIndex> index() const {
    NodesTrailer trailer;
    std::memcpy(&trailer, bytes_.data() + bytes_.size() - sizeof trailer, sizeof trailer);
    std::vector<uint8_t> content;
    const ByteSpan frame = as_bytes(bytes_).subspan(trailer.index_offset_bytes);
    EXPECT_TRUE(decompress_frame(frame.first(frame.size() - sizeof trailer), 1 << 20, content).has_value());
    std::vector<NodesFrameIndex> records(content.size() / sizeof(NodesFrameIndex));
    std::memcpy(records.data(), content.data(), content.size());
    return records;
  }
  std::string with_index(const std::vector<NodesFrameIndex>& records) const {
    NodesTrailer trailer;
    std::memcpy(&trailer, bytes_.data() + bytes_.size() - sizeof trailer, sizeof trailer);
    std::vector<uint8_t> frame;
    EXPECT_TRUE(ZstdCompressor()
                    .compress({reinterpret_cast<const uint8_t*>(records.data()), records.size() * sizeof records[0]},
                              frame)
                    .has_value());
    return bytes_.substr(0, trailer.index_offset_bytes) + std::string(as_text(frame)) +
           bytes_.substr(bytes_.size() - sizeof trailer);
  }

  TempDir temp_;
  std::vector<Section> sections_;
  std::string bytes_;
};

TEST_F(NodesReaderTest, GivesEverySectionInOrder) {
  std::vector<Section> sections;
  ASSERT_TRUE(read_all(temp_ / "x.nodes", sections).has_value());
  EXPECT_EQ(sections, sections_);
}

TEST_F(NodesReaderTest, GivesWhatCoversARange) {
  const auto file = io::open_named(temp_ / "x.nodes", ErrorSide::kSource);
  auto reader = NodesReader::open(*file);
  ASSERT_TRUE(reader.has_value());
  EXPECT_GT(reader->frames().size(), 2u);
  EXPECT_EQ(reader->first_section_bytes(), kHeaderBytes);
  const uint64_t end_bytes = sections_.back().offset_bytes + sections_.back().section_bytes;
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {{0, end_bytes}, {0, kHeaderBytes}, {end_bytes, end_bytes + 9}};
  for (const Section& section : sections_) {
    ranges.emplace_back(section.offset_bytes, section.offset_bytes + 1);
    ranges.emplace_back(section.offset_bytes - 1, section.offset_bytes + section.section_bytes + 1);
  }
  for (const auto& [begin, end] : ranges) {
    std::vector<Section> expected;
    std::ranges::copy_if(sections_, std::back_inserter(expected), [begin = begin, end = end](const Section& section) {
      return section.offset_bytes < end && section.offset_bytes + section.section_bytes > begin;
    });
    std::vector<Section> found;
    ASSERT_TRUE(reader->visit_range(begin, end, [&](const NodesEntry& entry) -> Status {
      found.push_back(section_of(entry));
      return {};
    }));
    EXPECT_EQ(found, expected) << begin << "-" << end;
  }
}

TEST_F(NodesReaderTest, StopsAtTheVisitorsError) {
  const auto file = io::open_named(temp_ / "x.nodes", ErrorSide::kSource);
  auto reader = NodesReader::open(*file);
  size_t visits = 0;
  const Status status = reader->visit_all([&](const NodesEntry&) -> Status {
    if (++visits == 5) return fail(ErrorCode::kNotFound, ErrorSide::kSource, "enough");
    return {};
  });
  EXPECT_EQ(visits, 5u);
  EXPECT_EQ(status.error().message, "enough");
}

TEST_F(NodesReaderTest, RefusesCutAndFlippedFiles) {
  for (size_t length = 0; length < bytes_.size(); length += 1 + bytes_.size() / 61) {
    EXPECT_FALSE(read_changed(bytes_.substr(0, length)).has_value()) << length;
  }
  for (size_t at = 0; at < bytes_.size(); at += 1 + bytes_.size() / 61) {
    std::string changed = bytes_;
    changed[at] ^= 0x20;
    const Status status = read_changed(changed);
    ASSERT_FALSE(status.has_value()) << at;
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  }
}

TEST_F(NodesReaderTest, RefusesAnIndexThatContradictsTheFrames) {
  ASSERT_TRUE(read_changed(with_index(index())).has_value());
  const std::vector<void (*)(NodesFrameIndex&)> changes = {
      [](NodesFrameIndex& record) { ++record.car_offset_bytes; },
      [](NodesFrameIndex& record) { ++record.first_section; },
      [](NodesFrameIndex& record) { ++record.frame_offset_bytes; },
      [](NodesFrameIndex& record) { ++record.frame_length_bytes; },
      [](NodesFrameIndex& record) { ++record.content_bytes; },
      [](NodesFrameIndex& record) { record.car_offset_bytes = UINT64_MAX; },
      [](NodesFrameIndex& record) { record.content_bytes = UINT32_MAX; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    std::vector<NodesFrameIndex> records = index();
    changes[i](records[1]);
    EXPECT_FALSE(read_changed(with_index(records)).has_value()) << i;
  }
  std::vector<NodesFrameIndex> records = index();
  records.pop_back();
  EXPECT_FALSE(read_changed(with_index(records)).has_value());
}

TEST(DecodeNodesEntryTest, RefusesWhatIsNoEntry) {
  const Cid cid = sha256_cid(1, kCodecRaw, kernels::sha256({}));
  std::vector<uint8_t> entry = {0, 40};
  entry.insert(entry.end(), cid.bytes().begin(), cid.bytes().end());
  entry.resize(entry.size() + 4);
  const auto decoded = decode_nodes_entry(entry, 59);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->block.size(), 4u);
  EXPECT_EQ(decoded->car_end_bytes(), 59u + 41);
  EXPECT_EQ(decoded->block_offset_bytes(), 59u + 37);
  for (size_t length = 0; length < entry.size(); ++length) {
    EXPECT_FALSE(decode_nodes_entry(ByteSpan(entry).first(length), 59).has_value()) << length;
  }
  std::vector<uint8_t> other_kind = entry;
  other_kind[0] = 2;
  EXPECT_FALSE(decode_nodes_entry(other_kind, 59).has_value());
  std::vector<uint8_t> shorter_than_its_cid = entry;
  shorter_than_its_cid[1] = 35;
  EXPECT_FALSE(decode_nodes_entry(shorter_than_its_cid, 59).has_value());
  EXPECT_FALSE(decode_nodes_entry(entry, UINT64_MAX - 10).has_value());
}

}  // namespace
}  // namespace piecework::engine
