// CARs as a store: every block of every golden CAR at its place, every malformed CAR with its verdict, and what happens
// to blocks in several files, to files that change, and to a stream.
#include "engine/store/car_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "io/spool_stream.h"
#include "tests/engine/codec/golden_cars.h"
#include "tests/engine/store/make_car.h"

namespace piecework::engine {
namespace {

using testing::LoadedCar;
using testing::TempDir;
using testing::vector_path;
using testing::write_file;

Result<std::unique_ptr<CarStore>> open_cars(const std::vector<std::filesystem::path>& paths,
                                            CarStoreOptions options = {}) {
  if (options.scratch_directory.empty()) options.scratch_directory = std::filesystem::temp_directory_path();
  std::vector<CarInput> inputs;
  for (const auto& path : paths) inputs.push_back({path, {}});
  return CarStore::open(std::move(inputs), options);
}

std::string read_block(CarStore& store, const CidView& cid) {
  const std::optional<BlockPlace> place = store.find(cid).value();
  if (!place) return "(missing)";
  std::vector<uint8_t> data;
  const Status status = store.read(cid, *place, data);
  return status ? std::string(as_text(data)) : status.error().message;
}

TEST(CarStore, FindsEveryBlockOfTheGoldenCarsAtItsPlace) {
  size_t block_count = 0;
  for (const auto& path : testing::golden_car_paths()) {
    const LoadedCar car = testing::load_car(path);
    const std::unique_ptr<CarStore> store = open_cars({path}).value();
    EXPECT_EQ(store->block_count(), car.blocks.size());
    EXPECT_EQ(store->repeat_count(), 0u);
    EXPECT_TRUE(store->warnings().empty());
    for (const CarBlock& block : car.blocks) {
      const std::optional<BlockPlace> place = store->find(block.cid).value();
      ASSERT_TRUE(place) << path;
      EXPECT_EQ(place->file_index, 0u);
      EXPECT_EQ(place->offset_bytes, static_cast<uint64_t>(as_text(block.data).data() - car.bytes.data()));
      EXPECT_EQ(place->length_bytes, block.data.size());
      std::vector<uint8_t> data;
      ASSERT_TRUE(store->read(block.cid, *place, data));
      ASSERT_TRUE(check_block_digest(block.cid, data));
    }
    ASSERT_EQ(store->roots().size(), 1u);
    EXPECT_TRUE(store->find(store->roots()[0].view()).value());
    block_count += car.blocks.size();
  }
  EXPECT_EQ(block_count, 466u);
}

TEST(CarStore, ABlockIsFoundByItsWholeCidOnly) {
  const std::unique_ptr<CarStore> store = open_cars({vector_path("public/basic.tiny.car")}).value();
  size_t raw_count = 0;
  for (const CarBlock& block : testing::load_car(vector_path("public/basic.tiny.car")).blocks) {
    if (block.cid.codec != kCodecRaw) continue;
    ++raw_count;
    Digest32 digest;
    std::copy(block.cid.multihash.digest.begin(), block.cid.multihash.digest.end(), digest.begin());
    EXPECT_FALSE(store->find(sha256_cid(1, kCodecDagPb, digest).view()).value());
    EXPECT_FALSE(store->find(sha256_cid(0, kCodecDagPb, digest).view()).value());
    digest[31] ^= 1;
    EXPECT_FALSE(store->find(sha256_cid(1, kCodecRaw, digest).view()).value());
  }
  EXPECT_GT(raw_count, 0u);
}

// Where each rejected row of the manifest is caught: by the scan, or later by whoever walks the DAG and hashes blocks
// (prefix 5: digests and missing roots; 7 to 9 and a: nodes; b4: a missing child).
bool is_caught_by_scan(const std::string& file) {
  static const std::set<std::string> kLater = {"50-hash-mismatch.car", "51-hash-mismatch-second.car",
                                               "52-root-missing.car", "57-no-blocks.car", "b4-missing-child.car"};
  const bool is_about_nodes = file[0] >= '7' && file[0] != 'b' && file[0] != 'c';
  return !is_about_nodes && !kLater.contains(file);
}

TEST(CarStore, EveryMalformedCarGetsItsVerdict) {
  const std::set<std::string> policy_rejects = {"13-zero-padding-tail.car", "49-cid-identity-huge.car"};
  size_t rejected_count = 0;
  const nlohmann::json manifest = testing::load_vectors("malformed/MANIFEST.json");
  for (const nlohmann::json& row : manifest["cars"]) {
    const std::string file = row["file"];
    if (file.ends_with(".txt")) continue;  // made by a test below
    const std::string expect = row["expect"];
    const bool rejects = (expect == "reject" && is_caught_by_scan(file)) || policy_rejects.contains(file);
    const auto store = open_cars({vector_path("malformed/" + file)});
    ASSERT_EQ(!store.has_value(), rejects) << file << (store ? "" : ": " + store.error().message);
    if (store) continue;
    ++rejected_count;
    EXPECT_EQ(store.error().side, ErrorSide::kSource);
    EXPECT_TRUE(store.error().path.ends_with(file)) << store.error().path;
    EXPECT_NE(store.error().message.find(file), std::string::npos) << store.error().message;
    EXPECT_NE(store.error().message.find(" at byte "), std::string::npos) << store.error().message;
  }
  EXPECT_EQ(rejected_count, 46u);
}

// What the scan leaves to others, they can see: the root is missing, or a block has another digest.
TEST(CarStore, WhatTheScanCannotSeeIsSeenWhereBlocksAreAskedFor) {
  for (const char* file : {"52-root-missing.car", "57-no-blocks.car"}) {
    const auto store = open_cars({vector_path("malformed/" + std::string(file))}).value();
    ASSERT_TRUE(store->require_roots());
    EXPECT_FALSE(store->find(store->roots()[0].view()).value()) << file;
  }
  const auto store = open_cars({vector_path("malformed/50-hash-mismatch.car")}).value();
  const Cid& root = store->roots()[0];
  const std::string data = read_block(*store, root.view());
  EXPECT_FALSE(check_block_digest(root.view(), as_bytes(data)));
}

TEST(CarStore, RootsAreInOrderAndEachOnce) {
  EXPECT_EQ(open_cars({vector_path("malformed/56-dup-roots.car")}).value()->roots().size(), 1u);
  EXPECT_EQ(open_cars({vector_path("malformed/55-two-roots.car")}).value()->roots().size(), 2u);
  const TempDir directory;
  const Cid a = testing::raw_cid("a");
  const Cid b = testing::raw_cid("b");
  const Cid c = testing::raw_cid("c");
  write_file(directory / "1.car", testing::car_header({c, a, c}));
  write_file(directory / "2.car", testing::car_header({b, a}));
  const auto store = open_cars({directory / "1.car", directory / "2.car"}).value();
  EXPECT_EQ(store->roots(), (std::vector<Cid>{c, a, b}));
}

TEST(CarStore, ACarWithoutRootsIsAStoreButNamesNothingToPack) {
  const auto path = vector_path("malformed/28-header-empty-roots.car");
  const auto store = open_cars({vector_path("malformed/00-control-good.car"), path}).value();
  EXPECT_EQ(store->roots().size(), 1u);
  const Status needed = store->require_roots();
  ASSERT_FALSE(needed);
  EXPECT_EQ(needed.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(needed.error().path, path);
}

TEST(CarStore, ASpilledIndexGivesWhatOneInMemoryGives) {
  const TempDir directory;
  const std::vector<std::filesystem::path> paths = testing::golden_car_paths();
  const auto in_memory = open_cars(paths).value();
  const auto spilled = open_cars(paths, {.scratch_directory = directory.path(), .index_memory_bytes = 1}).value();
  EXPECT_EQ(in_memory->block_count(), spilled->block_count());
  EXPECT_EQ(in_memory->repeat_count(), spilled->repeat_count());
  EXPECT_GT(in_memory->repeat_count(), 0u) << "the golden CARs share blocks";
  for (const auto& path : paths) {
    for (const CarBlock& block : testing::load_car(path).blocks) {
      const BlockPlace a = in_memory->find(block.cid).value().value();
      const BlockPlace b = spilled->find(block.cid).value().value();
      ASSERT_EQ(std::tie(a.file_index, a.offset_bytes, a.length_bytes),
                std::tie(b.file_index, b.offset_bytes, b.length_bytes));
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "scratch files have no names";
}

TEST(CarStore, ABlockOfSeveralFilesIsTheFirstOnes) {
  const TempDir directory;
  const Cid common = testing::raw_cid("common");
  const Cid own = testing::raw_cid("own");
  const std::string first = testing::car_header({common}) + testing::car_section(common, "common");
  const std::string second =
      testing::car_header({own}) + testing::car_section(own, "own") + testing::car_section(common, "COMMON");
  write_file(directory / "first.car", first);
  write_file(directory / "second.car", second);
  // One open file at most: every question about the other one opens it again.
  const auto store = open_cars({directory / "first.car", directory / "second.car"}, {.open_files_max = 1}).value();
  EXPECT_EQ(store->block_count(), 2u);
  EXPECT_EQ(store->repeat_count(), 1u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(store->find(common.view()).value()->file_index, 0u);
    EXPECT_EQ(read_block(*store, common.view()), "common");
    EXPECT_EQ(store->find(own.view()).value()->file_index, 1u);
    EXPECT_EQ(read_block(*store, own.view()), "own");
  }
  const auto reversed = open_cars({directory / "second.car", directory / "first.car"}).value();
  EXPECT_EQ(read_block(*reversed, common.view()), "COMMON") << "not verified here";

  // Visiting shows every section, and may ask the store in between.
  std::vector<std::string> visited;
  ASSERT_TRUE(store->visit_blocks([&](const CidView& cid, const BlockPlace& place) -> Status {
    const BlockPlace found = store->find(cid).value().value();
    const bool is_first = found.file_index == place.file_index && found.offset_bytes == place.offset_bytes;
    visited.push_back(store->describe(cid, place) + (is_first ? "" : " again"));
    return {};
  }));
  ASSERT_EQ(visited.size(), 3u);
  EXPECT_TRUE(visited[0].ends_with("first.car' at byte " + std::to_string(first.size() - 6))) << visited[0];
  EXPECT_TRUE(visited[2].ends_with("second.car' at byte " + std::to_string(second.size() - 6) + " again"));
}

TEST(CarStore, RepeatsInsideOneFileMustBeEqual) {
  const TempDir directory;
  const std::string data(200'000, 'd');
  std::string other = data;
  other.back() = 'x';
  const Cid cid = testing::raw_cid(data);
  const std::string once = testing::car_header({cid}) + testing::car_section(cid, data);
  for (const uint64_t memory_bytes : {uint64_t{1}, 64 * kMiB}) {
    const CarStoreOptions options{.scratch_directory = directory.path(), .index_memory_bytes = memory_bytes};
    write_file(directory / "x.car", once + testing::car_section(cid, data) + testing::car_section(cid, data));
    EXPECT_EQ(open_cars({directory / "x.car"}, options).value()->repeat_count(), 2u);
    write_file(directory / "x.car", once + testing::car_section(cid, data) + testing::car_section(cid, other));
    EXPECT_FALSE(open_cars({directory / "x.car"}, options));
    write_file(directory / "x.car", once + testing::car_section(cid, data + "d"));
    EXPECT_FALSE(open_cars({directory / "x.car"}, options));
  }
}

TEST(CarStore, ACutCarIsRefusedUnlessItEndsBetweenSections) {
  const TempDir directory;
  const auto path = vector_path("malformed/00-control-good.car");
  const LoadedCar car = testing::load_car(path);
  std::set<size_t> borders;
  borders.insert(car.bytes.size());
  for (const CarBlock& block : car.blocks) {  // one byte of length before each CID
    borders.insert(static_cast<size_t>(as_text(block.cid.bytes).data() - car.bytes.data()) - 1);
  }
  for (size_t length = 0; length <= car.bytes.size(); ++length) {
    write_file(directory / "cut.car", car.bytes.substr(0, length));
    EXPECT_EQ(open_cars({directory / "cut.car"}).has_value(), borders.contains(length)) << length;
  }
}

TEST(CarStore, AFileThatChangedAfterTheScanIsSaidToHaveChanged) {
  const TempDir directory;
  const auto path = directory / "x.car";
  const std::string data = "some data";
  const Cid cid = testing::raw_cid(data);
  const std::string car = testing::car_header({cid}) + testing::car_section(cid, data);
  const auto expect_changed = [&](const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::kChanged) << error.message;
    EXPECT_EQ(error.side, ErrorSide::kSource);
    EXPECT_EQ(error.path, path);
  };
  const auto open_fresh = [&] {
    write_file(path, car);
    return open_cars({path}).value();
  };
  std::vector<uint8_t> target;
  {  // another file in its place: the open one is still the one that was scanned
    const auto store = open_fresh();
    write_file(directory / "new.car", car + testing::car_section(cid, data));
    std::filesystem::rename(directory / "new.car", path);
    EXPECT_EQ(read_block(*store, cid.view()), data);
  }
  {  // longer
    const auto store = open_fresh();
    const BlockPlace place = store->find(cid.view()).value().value();
    std::ofstream(path, std::ios::app) << testing::car_section(cid, data);
    expect_changed(store->read(cid.view(), place, target).error());
    expect_changed(store->open_file(0).error());
  }
  {  // shorter
    const auto store = open_fresh();
    const BlockPlace place = store->find(cid.view()).value().value();
    std::filesystem::resize_file(path, car.size() - 1);
    expect_changed(store->read(cid.view(), place, target).error());
    std::filesystem::resize_file(path, 10);
    expect_changed(store->find(cid.view()).error());
  }
  {  // other bytes where the CID was
    const auto store = open_fresh();
    std::string edited = car;
    edited[car.size() - data.size() - 1] ^= 1;
    write_file(path, edited + "longer");
    expect_changed(store->find(cid.view()).error());
  }
}

// What a key of 16 bytes leads to is compared with the whole CID: another CID at the place is never taken for it.
TEST(CarStore, AnotherCidAtThePlaceIsMissing) {
  const TempDir directory;
  const auto path = directory / "x.car";
  const std::string data = "some data";
  const Cid cid = testing::raw_cid(data);
  std::string car = testing::car_header({cid}) + testing::car_section(cid, data);
  write_file(path, car);
  const auto store = open_cars({path}).value();
  car[car.size() - data.size() - 1] ^= 1;
  write_file(path, car);
  const io::FileStamp& stamp = store->file_stamp(0);
  const timespec times[2] = {{0, UTIME_OMIT}, {stamp.mtime_ns / 1'000'000'000, stamp.mtime_ns % 1'000'000'000}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_FALSE(store->find(cid.view()).value());
}

TEST(CarStore, AReopenedFileMustBeTheOneThatWasScanned) {
  const TempDir directory;
  const Cid a = testing::raw_cid("a");
  const Cid b = testing::raw_cid("b");
  write_file(directory / "a.car", testing::car_header({a}) + testing::car_section(a, "a"));
  write_file(directory / "b.car", testing::car_header({b}) + testing::car_section(b, "b"));
  const auto store = open_cars({directory / "a.car", directory / "b.car"}, {.open_files_max = 1}).value();
  write_file(directory / "new.car", testing::car_header({a}) + testing::car_section(a, "a"));
  std::filesystem::rename(directory / "new.car", directory / "a.car");
  const auto found = store->find(a.view());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kChanged);
  std::filesystem::remove(directory / "a.car");
  EXPECT_EQ(store->find(a.view()).error().code, ErrorCode::kNotFound);
}

TEST(CarStore, LargeBlocksAreAcceptedWithAWarningUpToTheLimit) {
  const TempDir directory;
  const auto path = directory / "large.car";
  const std::string zeros(9 * kMiB, '\0');  // as 16-block-9MiB.car.recipe.txt says
  const Cid cid = testing::raw_cid(zeros);
  write_file(path, testing::car_header({cid}) + testing::car_section(cid, zeros));
  const auto store = open_cars({path}).value();
  ASSERT_EQ(store->warnings().size(), 1u);
  EXPECT_NE(store->warnings()[0].find("9437184 bytes"), std::string::npos) << store->warnings()[0];
  EXPECT_EQ(read_block(*store, cid.view()), zeros);

  for (const uint64_t data_bytes : {8 * kMiB, 32 * kMiB, 32 * kMiB + 1}) {  // holes; the scan does not read data
    const std::string header = testing::car_header({cid}) + testing::car_section_head(cid, data_bytes);
    write_file(path, header);
    std::filesystem::resize_file(path, header.size() + data_bytes);
    const auto opened = open_cars({path});
    ASSERT_EQ(opened.has_value(), data_bytes <= 32 * kMiB);
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
    } else {
      EXPECT_EQ(opened.value()->warnings().size(), data_bytes > 8 * kMiB ? 1u : 0u);
      EXPECT_EQ(opened.value()->find(cid.view()).value()->length_bytes, data_bytes);
    }
  }
}

TEST(CarStore, OnlyRegularFilesAreOpened) {
  const TempDir directory;
  ASSERT_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(open_cars({directory / "pipe"}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(open_cars({directory.path()}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(open_cars({directory / "missing.car"}).error().code, ErrorCode::kNotFound);
}

TEST(CarStore, TheScanCountsItsBytesAndStopsOnRequest) {
  const std::vector<std::filesystem::path> paths = testing::golden_car_paths();
  uint64_t total_bytes = 0;
  for (const auto& path : paths) total_bytes += std::filesystem::file_size(path);
  std::atomic<uint64_t> scanned_bytes = 0;
  std::atomic<bool> stop = false;
  ASSERT_TRUE(open_cars(paths, {.stop = &stop, .scanned_bytes = &scanned_bytes}));
  EXPECT_EQ(scanned_bytes, total_bytes);
  stop = true;
  EXPECT_EQ(open_cars(paths, {.stop = &stop}).error().code, ErrorCode::kCancelled);
}

TEST(CarStore, AStreamIsAStoreLikeAnyFile) {
  const TempDir directory;
  const LoadedCar car = testing::load_car(vector_path("public/basic.tiny.car"));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::thread writer([&] {
    EXPECT_EQ(write(ends[1], car.bytes.data(), car.bytes.size()), static_cast<ssize_t>(car.bytes.size()));
    close(ends[1]);
  });
  Result<io::File> spool = io::spool_stream(ends[0], "standard input", directory.path());
  writer.join();
  close(ends[0]);
  ASSERT_TRUE(spool);
  std::vector<CarInput> inputs;
  inputs.push_back({"standard input", std::move(*spool)});
  inputs.push_back({vector_path("malformed/00-control-good.car"), {}});
  const auto store =
      CarStore::open(std::move(inputs), {.scratch_directory = directory.path(), .open_files_max = 1}).value();
  EXPECT_EQ(store->file_path(0), "standard input");
  const io::File copy = store->open_file(0).value();
  EXPECT_EQ(copy.stamp().value(), store->file_stamp(0));
  for (const CarBlock& block : car.blocks) EXPECT_EQ(read_block(*store, block.cid), as_text(block.data));
  EXPECT_NE(read_block(*store, store->roots()[1].view()), "(missing)");
}

}  // namespace
}  // namespace piecework::engine
