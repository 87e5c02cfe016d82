// commP against published roots (Rust, JavaScript, Python and Go agree on them), however the bytes arrive.
#include "engine/piece/commp.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "io/file.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

using testing::deterministic_bytes;

struct Golden {
  std::string seed;
  size_t payload_bytes = 0;
  uint64_t padded_bytes = 0;
  std::string root_hex;
};

std::vector<Golden> golden_rows() {
  std::vector<Golden> rows;
  for (const nlohmann::json& row : testing::load_vectors("public/commp.json"))
    rows.push_back({row.at("seed"), row.at("size"), row.at("paddedSize"), row.at("commP")});
  return rows;
}

void expect_golden(const Commp& commp, const Golden& golden) {
  EXPECT_EQ(to_hex(commp.root), golden.root_hex) << golden.payload_bytes << " bytes";
  EXPECT_EQ(commp.payload_bytes, golden.payload_bytes);
  EXPECT_EQ(commp.padded_bytes, golden.padded_bytes);
}

// All golden payloads are prefixes of one, so one generation serves all rows.
class CommpGoldenTest : public ::testing::Test {
 protected:
  CommpGoldenTest() : rows_(golden_rows()) {
    const auto largest = std::ranges::max_element(rows_, {}, &Golden::payload_bytes);
    payload_ = deterministic_bytes(largest->seed, largest->payload_bytes);
  }
  ByteSpan payload(const Golden& golden) const { return ByteSpan(payload_).first(golden.payload_bytes); }

  std::vector<Golden> rows_;
  std::vector<uint8_t> payload_;
};

TEST_F(CommpGoldenTest, InMemoryOnOneAndThreeThreads) {
  ASSERT_GE(rows_.size(), 50u);
  for (const Golden& golden : rows_) {
    for (const unsigned thread_count : {1u, 3u}) {
      const Result<Commp> commp = commp_of_bytes(payload(golden), thread_count);
      ASSERT_TRUE(commp) << commp.error().message;
      expect_golden(*commp, golden);
    }
  }
}

TEST_F(CommpGoldenTest, Accumulated) {
  for (const Golden& golden : rows_) {
    CommpAccumulator accumulator;
    accumulator.append(payload(golden));
    expect_golden(accumulator.finish(), golden);
  }
}

TEST_F(CommpGoldenTest, FromFiles) {
  const testing::TempDir directory;
  for (const Golden& golden : rows_) {
    testing::write_file(directory / "payload", as_text(payload(golden)));
    for (const unsigned thread_count : {1u, 2u}) {
      const Result<Commp> commp = commp_of_file(directory / "payload", {.thread_count = thread_count});
      ASSERT_TRUE(commp) << commp.error().message;
      expect_golden(*commp, golden);
    }
  }
}

// Writes `bytes` into a pipe on a thread of its own, in parts of 4,093 bytes: the reader sees ragged reads.
class PipeWriter {
 public:
  explicit PipeWriter(ByteSpan bytes) {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    writer_ = std::thread([this, bytes] {
      for (ByteSpan rest = bytes; !rest.empty();) {
        const ssize_t written_bytes = write(ends_[1], rest.data(), std::min<size_t>(rest.size(), 4093));
        if (written_bytes <= 0) break;
        rest = rest.subspan(static_cast<size_t>(written_bytes));
      }
      close(ends_[1]);
    });
  }
  ~PipeWriter() {
    writer_.join();
    close(ends_[0]);
  }
  int descriptor() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
  std::thread writer_;
};

TEST_F(CommpGoldenTest, FromStreams) {
  for (const Golden& golden : rows_) {
    const PipeWriter writer(payload(golden));
    const Result<Commp> commp = commp_of_descriptor(writer.descriptor(), "pipe", {.thread_count = 2});
    ASSERT_TRUE(commp) << commp.error().message;
    expect_golden(*commp, golden);
  }
}

TEST(CommpTest, EqualsLotusOnPaintedPayloads) {
  for (const auto& [file, byte] : {std::pair{"0xCC.txt", uint8_t{0xCC}}, std::pair{"zero.txt", uint8_t{0}}}) {
    std::ifstream rows(testing::vector_path(std::string("go-fil-commp-hashhash/") + file));
    int row_count = 0;
    for (std::string row; std::getline(rows, row); ++row_count) {
      std::istringstream fields(row);
      size_t payload_bytes = 0;
      uint64_t padded_bytes = 0;
      char comma = 0;
      std::string piece_cid;
      ASSERT_TRUE(fields >> payload_bytes >> comma >> padded_bytes >> comma >> piece_cid) << row;
      const std::vector<uint8_t> payload(payload_bytes, byte);
      const Result<Commp> commp = commp_of_bytes(payload, 1);
      ASSERT_TRUE(commp);
      EXPECT_EQ(piece_cid_v1_text(commp->root), piece_cid) << file << ' ' << payload_bytes;
      EXPECT_EQ(commp->padded_bytes, padded_bytes);
    }
    EXPECT_GE(row_count, 18);
  }
}

TEST(CommpAccumulatorTest, SplitsDoNotMatter) {
  const std::vector<uint8_t> payload = deterministic_bytes("splits", 2 * kSegmentBytes + 12345);
  const Result<Commp> whole = commp_of_bytes(payload, 1);
  ASSERT_TRUE(whole);
  for (const size_t part_bytes : {size_t{997}, size_t{1016}, size_t{65537}, size_t{kSegmentBytes - 1},
                                  size_t{kSegmentBytes}, size_t{kSegmentBytes + 1}}) {
    CommpAccumulator accumulator;
    for (size_t offset_bytes = 0; offset_bytes < payload.size(); offset_bytes += part_bytes)
      accumulator.append(ByteSpan(payload).subspan(offset_bytes, std::min(part_bytes, payload.size() - offset_bytes)));
    EXPECT_EQ(accumulator.finish().root, whole->root) << "parts of " << part_bytes;
  }
}

TEST(CommpAccumulatorTest, FinishLooksAndGoesOn) {
  const std::vector<uint8_t> payload = deterministic_bytes("goes on", 300000);
  CommpAccumulator accumulator;
  accumulator.append(ByteSpan(payload).first(1000));
  EXPECT_EQ(accumulator.finish().root, commp_of_bytes(ByteSpan(payload).first(1000), 1)->root);
  accumulator.append(ByteSpan(payload).subspan(1000));
  EXPECT_EQ(accumulator.finish().root, commp_of_bytes(payload, 1)->root);
}

TEST(CommpOfFileTest, ErrorsNameThePath) {
  const Result<Commp> missing = commp_of_file("/nonexistent/file", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().side, ErrorSide::kSource);
  EXPECT_NE(missing.error().message.find("/nonexistent/file"), std::string::npos);
  const testing::TempDir directory;
  const Result<Commp> not_a_file = commp_of_file(directory.path(), {});
  ASSERT_FALSE(not_a_file);
  EXPECT_EQ(not_a_file.error().code, ErrorCode::kInvalidArgument);
}

TEST(CommpOfDescriptorTest, ReadsFromWhereItStands) {
  const testing::TempDir directory;
  const std::vector<uint8_t> payload = deterministic_bytes("position", 100000);
  testing::write_file(directory / "payload", as_text(payload));
  const io::UniqueFd descriptor(open((directory / "payload").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(lseek(descriptor.get(), 1000, SEEK_SET), 1000);
  const Result<Commp> commp = commp_of_descriptor(descriptor.get(), "payload", {});
  ASSERT_TRUE(commp);
  EXPECT_EQ(commp->root, commp_of_bytes(ByteSpan(payload).subspan(1000), 1)->root);
}

TEST(CommpOfFileTest, StopEndsWithCancelled) {
  const testing::TempDir directory;
  testing::write_deterministic_file(directory / "payload", "stop", 3 * kSegmentBytes);
  const std::atomic<bool> stop{true};
  const Result<Commp> commp = commp_of_file(directory / "payload", {.thread_count = 2, .stop = &stop});
  ASSERT_FALSE(commp);
  EXPECT_EQ(commp.error().code, ErrorCode::kCancelled);
}

TEST(CommpOfFileTest, CountsItsProgress) {
  const testing::TempDir directory;
  const uint64_t payload_bytes = 3 * kSegmentBytes + 17;
  testing::write_deterministic_file(directory / "payload", "progress", payload_bytes);
  std::atomic<uint64_t> done_bytes{0};
  ASSERT_TRUE(commp_of_file(directory / "payload", {.thread_count = 2, .done_bytes = &done_bytes}));
  EXPECT_EQ(done_bytes, payload_bytes);
}

TEST(CommpOfFileTest, SparseFilesEqualZerosInMemory) {
  const testing::TempDir directory;
  testing::write_file(directory / "sparse", "");
  constexpr uint64_t kPayloadBytes = 5 * kSegmentBytes + 1;
  ASSERT_EQ(truncate((directory / "sparse").c_str(), kPayloadBytes), 0);
  const Result<Commp> commp = commp_of_file(directory / "sparse", {.thread_count = 2});
  ASSERT_TRUE(commp);
  EXPECT_EQ(commp->root, commp_of_bytes(std::vector<uint8_t>(kPayloadBytes), 1)->root);
}

}  // namespace
}  // namespace piecework::engine
