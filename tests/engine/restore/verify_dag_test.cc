// The walk by itself: dropping nodes from its stack and reading them again changes nothing but the reads.
#include "engine/restore/verify_dag.h"

#include <gtest/gtest.h>

#include <tuple>

#include "engine/codec/dag_cbor.h"
#include "engine/restore/verify_pass.h"
#include "kernels/base/varint.h"
#include "tests/engine/codec/golden_cars.h"
#include "tests/support/golden.h"

namespace piecework::engine {
namespace {

struct Walked {
  DagWalkResult result;
  VerifyReport report;
  size_t read_count = 0;
};

Walked walk(const std::filesystem::path& path, size_t resident_bytes_max) {
  const std::string car = testing::read_file(path);
  Walked walked;
  BlockIndex index(kMiB);
  VerifyPass pass("test.car", index, walked.report);
  io::CarReader reader = io::CarReader::open(io::read_memory(as_bytes(car)), "test.car", {}).value();
  for (bool at_end = false; !at_end;) {
    const io::CarBatch batch = reader.next_batch().value();
    EXPECT_TRUE(pass.take(batch));
    for (size_t i = 0; i < pass.task_count(); ++i) pass.run_task(i);
    pass.settle();
    at_end = batch.at_end;
  }
  index.sort();
  std::vector<Cid> roots;
  const CarHeader header = decode_car_v1_header(reader.header()).value();
  for (const CidView& root : header.roots) roots.emplace_back(root);
  DagWalkInput input;
  input.piece = "test.car";
  input.roots = &roots;
  input.index = &index;
  input.resident_bytes_max = resident_bytes_max;
  input.check_stop = [] { return Status(); };
  input.read_section = [&car, &walked](uint64_t offset_bytes) -> Result<std::vector<uint8_t>> {
    ++walked.read_count;
    const ByteSpan rest = as_bytes(car).subspan(offset_bytes);
    const DecodedVarint length = decode_varint(rest);
    const ByteSpan section = rest.subspan(length.length_bytes, static_cast<size_t>(length.value));
    return std::vector<uint8_t>(section.begin(), section.end());
  };
  walked.result = walk_dag(input, walked.report).value();
  return walked;
}

std::vector<std::tuple<std::string, std::string, std::string>> summary(const Findings& findings) {
  std::vector<std::tuple<std::string, std::string, std::string>> rows;
  for (const VerifyFinding& found : findings.kept()) rows.emplace_back(found.kind, found.path, found.actual);
  return rows;
}

TEST(VerifyDag, NodesDroppedFromTheStackAreReadAgain) {
  size_t read_again = 0;
  for (const char* file : {"public/basic.tiny.car", "public/many-small-dirs.unixfs-v0-2015.car",
                           "malformed/b2-deep-dirs.car", "malformed/82-blocksize-lie.car", "malformed/68-dup-names.car",
                           "malformed/a9-hamt-too-deep.car", "malformed/b4-missing-child.car"}) {
    const Walked roomy = walk(testing::vector_path(file), 64 * kMiB);
    const Walked tight = walk(testing::vector_path(file), 0);
    EXPECT_EQ(tight.result.visited_count, roomy.result.visited_count) << file;
    EXPECT_EQ(tight.result.is_in_order, roomy.result.is_in_order) << file;
    EXPECT_EQ(summary(tight.report.problems), summary(roomy.report.problems)) << file;
    EXPECT_EQ(summary(tight.report.warnings), summary(roomy.report.warnings)) << file;
    EXPECT_GE(tight.read_count, roomy.read_count) << file;
    read_again += tight.read_count - roomy.read_count;
  }
  EXPECT_GT(read_again, 100u) << "or nothing was dropped";
}

TEST(VerifyDag, SharedNodesAreReadOnce) {
  // 50^10 files by sharing, some hundred links in all.
  const Walked bomb = walk(testing::vector_path("malformed/b0-dag-bomb.car"), 64 * kMiB);
  EXPECT_LE(bomb.read_count, 20u);
  EXPECT_EQ(bomb.report.problems.count(), 0u);
}

TEST(VerifyDag, PathsLeadToTheFindings) {
  const Walked lie = walk(testing::vector_path("malformed/82-blocksize-lie.car"), 64 * kMiB);
  ASSERT_EQ(lie.report.problems.count(), 1u);
  EXPECT_EQ(lie.report.problems.kept()[0].kind, finding::kLink);
  const Walked missing = walk(testing::vector_path("malformed/b4-missing-child.car"), 64 * kMiB);
  ASSERT_EQ(missing.report.problems.count(), 1u);
  EXPECT_FALSE(missing.report.problems.kept()[0].path.empty());
}

}  // namespace
}  // namespace piecework::engine
