// CAR framing: sections with their offsets whatever the size of buffer and reads, CARv2, pipes, limits, and faults by
// offset.
#include "io/car_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "kernels/base/varint.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using testing::read_file;
using testing::vector_path;

// A section as bytes of its own, so that it outlives the batch.
struct Section {
  uint64_t offset_bytes;
  std::string bytes;
};

struct Contents {
  std::string header;
  std::vector<Section> sections;
  std::string fresh;
};

Result<Contents> read_all(ReadFunction read, const CarReadOptions& options = {}) {
  PIECEWORK_ASSIGN(CarReader reader, CarReader::open(std::move(read), "test.car", options));
  Contents contents;
  contents.header = as_text(reader.header());
  for (;;) {
    PIECEWORK_ASSIGN(const CarBatch batch, reader.next_batch());
    contents.fresh += as_text(batch.fresh_bytes);
    for (const CarSection& section : batch.sections) {
      contents.sections.push_back({section.offset_bytes, std::string(as_text(section.bytes))});
    }
    if (batch.at_end) return contents;
  }
}

// Hands out at most `step_bytes` at a time, as a slow pipe does.
ReadFunction in_steps(ByteSpan bytes, size_t step_bytes) {
  return [read = read_memory(bytes), step_bytes](MutableByteSpan target) mutable {
    return read(target.first(std::min(target.size(), step_bytes)));
  };
}

std::string section(std::string_view content) {
  std::string bytes(varint_bytes(content.size()), '\0');
  encode_varint(reinterpret_cast<uint8_t*>(bytes.data()), content.size());
  return bytes.append(content);
}

TEST(CarReader, GivesTheSameSectionsForEveryBufferAndReadSize) {
  const std::string car = read_file(vector_path("public/basic.tiny.car"));
  const Contents whole = read_all(read_memory(as_bytes(car))).value();
  EXPECT_EQ(whole.sections.size(), 43u);
  for (const size_t batch_bytes : {size_t{1}, size_t{7}, size_t{100}, size_t{4096}, car.size()}) {
    for (const size_t step_bytes : {size_t{1}, size_t{3}, size_t{1000}, car.size()}) {
      const Contents contents = read_all(in_steps(as_bytes(car), step_bytes), {.batch_bytes = batch_bytes}).value();
      ASSERT_EQ(contents.sections.size(), whole.sections.size());
      EXPECT_EQ(contents.fresh, car);
      EXPECT_EQ(contents.header, whole.header);
      for (size_t i = 0; i < whole.sections.size(); ++i) {
        ASSERT_EQ(contents.sections[i].bytes, whole.sections[i].bytes);
        ASSERT_EQ(contents.sections[i].offset_bytes, whole.sections[i].offset_bytes);
        ASSERT_EQ(car.substr(contents.sections[i].offset_bytes, section(contents.sections[i].bytes).size()),
                  section(contents.sections[i].bytes));
      }
    }
  }
}

TEST(CarReader, ReadsPipesAndFiles) {
  const auto path = vector_path("public/basic.tiny.car");
  const std::string car = read_file(path);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  std::thread writer([&] {
    for (size_t i = 0; i < car.size(); i += 500) {
      const size_t step_bytes = std::min<size_t>(500, car.size() - i);
      EXPECT_EQ(write(ends[1], car.data() + i, step_bytes), static_cast<ssize_t>(step_bytes));
      std::this_thread::yield();
    }
    close(ends[1]);
  });
  const Contents from_pipe = read_all(read_descriptor(ends[0], "pipe", ErrorSide::kSource)).value();
  writer.join();
  close(ends[0]);
  EXPECT_EQ(from_pipe.fresh, car);
  EXPECT_EQ(from_pipe.sections.size(), 43u);

  const int file = open(path.c_str(), O_RDONLY);
  ASSERT_GE(file, 0);
  EXPECT_EQ(read_all(read_descriptor(file, "file", ErrorSide::kSource)).value().fresh, car);
  close(file);
}

TEST(CarReader, ReadsTheDataOfCarV2AndPassesOverItsIndex) {
  for (const char* name : {"malformed/c0-carv2-good-noindex.car", "malformed/c6-carv2-bad-index.car"}) {
    const std::string car = read_file(vector_path(name));
    const std::string control = read_file(vector_path("malformed/00-control-good.car"));
    const Contents inner = read_all(read_memory(as_bytes(control))).value();
    for (const size_t batch_bytes : {size_t{1}, size_t{8 * kMiB}}) {
      const Contents contents = read_all(read_memory(as_bytes(car)), {.batch_bytes = batch_bytes}).value();
      EXPECT_EQ(contents.header, inner.header) << name;
      ASSERT_EQ(contents.sections.size(), inner.sections.size());
      EXPECT_EQ(contents.fresh, car) << "as stored, the index too";
      const uint64_t shift_bytes = contents.sections[0].offset_bytes - inner.sections[0].offset_bytes;
      EXPECT_EQ(car.substr(shift_bytes, control.size()), control);
    }
  }
}

TEST(CarReader, SectionsUpToTheLimitAreReadWithAnyBuffer) {
  const std::string header = section("h");
  const std::string large(9 * kMiB, 'x');
  const std::string car = header + section(large) + section("small");
  const Contents contents = read_all(read_memory(as_bytes(car)), {.batch_bytes = 64 * kKiB}).value();
  ASSERT_EQ(contents.sections.size(), 2u);
  EXPECT_EQ(contents.sections[0].bytes, large);
  EXPECT_EQ(contents.sections[1].bytes, "small");
}

TEST(CarReader, GoodSectionsComeBeforeTheFaultThatFollowsThem) {
  const std::string car = section("h") + section("one") + section("two") + std::string(1, '\0') + section("three");
  CarReader reader = CarReader::open(read_memory(as_bytes(car)), "x.car", {}).value();
  const CarBatch batch = reader.next_batch().value();
  EXPECT_EQ(batch.sections.size(), 2u);
  EXPECT_FALSE(batch.at_end);
  const Result<CarBatch> fault = reader.next_batch();
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(fault.error().message.find("x.car"), std::string::npos);
  EXPECT_NE(fault.error().message.find("byte 10"), std::string::npos) << fault.error().message;
}

TEST(CarReader, ZeroTailIsAcceptedOnRequestAndMustBeZero) {
  const std::string car = section("h") + section("one") + std::string(1000, '\0');
  EXPECT_FALSE(read_all(read_memory(as_bytes(car))));
  for (const size_t batch_bytes : {size_t{1}, size_t{8 * kMiB}}) {
    const CarReadOptions options{.zero_tail = true, .batch_bytes = batch_bytes};
    const Contents contents = read_all(read_memory(as_bytes(car)), options).value();
    EXPECT_EQ(contents.sections.size(), 1u);
    EXPECT_EQ(contents.fresh, car);
    const std::string dirty = car + section("late");
    EXPECT_FALSE(read_all(read_memory(as_bytes(dirty)), options));
  }
}

TEST(CarReader, EveryCutCarIsRefusedUnlessItEndsBetweenSections) {
  const std::string car = read_file(vector_path("malformed/00-control-good.car"));
  const Contents whole = read_all(read_memory(as_bytes(car))).value();
  std::vector<uint64_t> borders = {car.size()};
  for (const Section& one : whole.sections) borders.push_back(one.offset_bytes);
  for (size_t length = 0; length <= car.size(); ++length) {
    const bool is_border = std::find(borders.begin(), borders.end(), length) != borders.end();
    EXPECT_EQ(read_all(read_memory(as_bytes(car).first(length))).has_value(), is_border) << length;
  }
}

TEST(CarReader, HostileLengthsTakeNoMemory) {
  const std::string header = section("h");
  for (const std::string& length : {std::string("\x80\x80\x80\x80\x80\x20", 6), std::string("\x81\x80\x80\x11", 4)}) {
    EXPECT_FALSE(read_all(read_memory(as_bytes(header + length + "data"))));
    EXPECT_FALSE(read_all(read_memory(as_bytes(length + "data"))));
  }
  // Within the limits, but not there: the buffer grows with the bytes that arrive.
  const std::string declared = header + std::string("\x80\x80\x80\x10", 4) + "data";
  EXPECT_FALSE(read_all(read_memory(as_bytes(declared)), {.batch_bytes = 64}));
}

TEST(CarReader, ErrorsOfReadingKeepTheirSide) {
  const Result<Contents> closed =
      read_all(read_descriptor(-1, "gone.car", ErrorSide::kDestination), {.side = ErrorSide::kDestination});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().side, ErrorSide::kDestination);
  EXPECT_EQ(closed.error().sys_errno, EBADF);
}

}  // namespace
}  // namespace piecework::io
