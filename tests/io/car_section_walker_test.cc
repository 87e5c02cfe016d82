// Walking by heads: the same sections and the same verdicts as CarReader, which reads everything, with little read.
#include "io/car_section_walker.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::io {
namespace {

using testing::read_file;
using testing::TempDir;
using testing::vector_path;
using testing::write_file;

struct Section {
  uint64_t offset_bytes;
  uint64_t content_bytes;
  std::string head;

  bool operator==(const Section&) const = default;
};

std::string head_of(ByteSpan content) {
  return std::string(as_text(content.first(std::min(content.size(), kCarSectionHeadBytes))));
}

// All sections, or none where the CAR is refused.
std::optional<std::vector<Section>> read_slowly(const std::string& car) {
  Result<CarReader> reader = CarReader::open(read_memory(as_bytes(car)), "slow.car", {});
  if (!reader) return std::nullopt;
  std::vector<Section> sections;
  for (;;) {
    const Result<CarBatch> batch = reader->next_batch();
    if (!batch) return std::nullopt;
    for (const CarSection& one : batch->sections) {
      sections.push_back({one.offset_bytes, one.bytes.size(), head_of(one.bytes)});
    }
    if (batch->at_end) return sections;
  }
}

struct Walk {
  std::vector<Section> sections;
  uint64_t read_bytes = 0;
};

Result<Walk> walk(const std::filesystem::path& path) {
  PIECEWORK_ASSIGN(const File file, open_named(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const FileStamp stamp, file.stamp());
  PIECEWORK_ASSIGN(const CarReader reader,
                   CarReader::open(read_descriptor(file.fd(), path, ErrorSide::kSource), path, {}));
  const uint64_t header_bytes = reader.header().size();
  CarSectionWalker walker(file, path,
                          {.begin_bytes = reader.header_offset_bytes() + varint_bytes(header_bytes) + header_bytes,
                           .end_bytes = reader.is_v2() ? reader.payload_end_bytes() : stamp.size_bytes,
                           .file_bytes = stamp.size_bytes});
  Walk walked;
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<CarSectionHead> section, walker.next());
    walked.read_bytes = walker.read_bytes();
    if (!section) return walked;
    EXPECT_GE(section->head.size(), std::min<uint64_t>(section->content_bytes, kCarSectionHeadBytes));
    EXPECT_EQ(section->content_offset_bytes, section->offset_bytes + varint_bytes(section->content_bytes));
    walked.sections.push_back({section->offset_bytes, section->content_bytes, head_of(section->head)});
  }
}

std::string section(std::string_view content) {
  std::string bytes(varint_bytes(content.size()), '\0');
  encode_varint(reinterpret_cast<uint8_t*>(bytes.data()), content.size());
  return bytes.append(content);
}

TEST(CarSectionWalker, GivesTheVerdictsAndSectionsOfTheReader) {
  size_t refused_count = 0;
  size_t section_count = 0;
  for (const char* directory : {"public", "malformed"}) {
    for (const auto& entry : std::filesystem::directory_iterator(vector_path(directory))) {
      if (entry.path().extension() != ".car") continue;
      const std::optional<std::vector<Section>> expected = read_slowly(read_file(entry.path()));
      const Result<Walk> walked = walk(entry.path());
      ASSERT_EQ(walked.has_value(), expected.has_value()) << entry.path();
      if (!walked) {
        EXPECT_EQ(walked.error().code, ErrorCode::kCorrupt);
        EXPECT_NE(walked.error().message.find("at byte "), std::string::npos) << walked.error().message;
        ++refused_count;
        continue;
      }
      EXPECT_EQ(walked->sections, *expected) << entry.path();
      section_count += expected->size();
    }
  }
  EXPECT_GE(refused_count, 15u);
  EXPECT_GE(section_count, 1000u);
}

TEST(CarSectionWalker, EveryCutCarV2IsRefusedWhereTheReaderRefusesIt) {
  const TempDir directory;
  const std::string car = read_file(vector_path("malformed/c0-carv2-good-noindex.car"));
  for (size_t length = 0; length <= car.size(); ++length) {
    write_file(directory / "cut.car", car.substr(0, length));
    const std::optional<std::vector<Section>> expected = read_slowly(car.substr(0, length));
    const Result<Walk> walked = walk(directory / "cut.car");
    ASSERT_EQ(walked.has_value(), expected.has_value()) << length;
    if (walked) {
      EXPECT_EQ(walked->sections, *expected);
    }
  }
}

// Small, middle and large sections side by side, so that windows follow each other, overlap heads and jump.
TEST(CarSectionWalker, FindsSectionsOfAllSizesAndReadsLittleOfLargeOnes) {
  const TempDir directory;
  const std::vector<uint8_t> data = testing::deterministic_bytes("sections", 2 * kMiB);
  const auto content = [&data](size_t byte_count) { return as_text(ByteSpan(data).last(byte_count)); };
  std::string car = section("header");
  for (size_t i = 0; i < 300; ++i) car += section(content(1 + i * 13 % 900));
  for (size_t byte_count = 500; byte_count < 2 * kMiB; byte_count = byte_count * 5 / 4)
    car += section(content(byte_count));
  for (size_t i = 0; i < 3000; ++i) car += section(content(1 + i % 700));
  write_file(directory / "x.car", car);
  EXPECT_EQ(walk(directory / "x.car").value().sections, read_slowly(car).value());

  car = section("header");
  for (size_t i = 0; i < 32; ++i) car += section(content(kMiB));
  write_file(directory / "large.car", car);
  const Walk large = walk(directory / "large.car").value();
  EXPECT_EQ(large.sections, read_slowly(car).value());
  EXPECT_LT(large.read_bytes, car.size() / 50);
}

TEST(CarSectionWalker, AFileThatShrinksWhileItIsWalkedHasChanged) {
  const TempDir directory;
  const std::string car = section("header") + section(std::string(kMiB, 'x')) + section("last");
  write_file(directory / "x.car", car);
  const File file = open_named(directory / "x.car", ErrorSide::kSource).value();
  CarSectionWalker walker(file, "x.car", {.begin_bytes = 7, .end_bytes = car.size(), .file_bytes = car.size()});
  ASSERT_TRUE(walker.next().value());
  std::filesystem::resize_file(directory / "x.car", kMiB / 2);
  const auto gone = walker.next();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kChanged);
  EXPECT_EQ(gone.error().path, "x.car");
}

}  // namespace
}  // namespace piecework::io
