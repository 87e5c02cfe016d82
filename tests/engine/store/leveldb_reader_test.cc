// Reading somebody else's leveldb: everything is found, nothing in it changes, damage and locks are said.
#include "engine/store/leveldb_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <leveldb/c.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "io/file.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

using Entries = std::map<std::string, std::string>;

class LeveldbReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(scratch());
    for (int i = 0; i < 500; ++i) entries_["/pins/pin/" + std::to_string(i)] = "value " + std::to_string(i);
    entries_["/local/filesroot"] = std::string("\x12\x00\x20", 3);
    entries_["/pins/pino"] = "another prefix";
    entries_["/zzz"] = "";
  }

  fs::path database() const { return temp_ / "datastore"; }
  fs::path scratch() const { return temp_ / "scratch"; }

  // Writes entries_; the first half into a table, the rest stays in the log.
  void make_database() const {
    leveldb_t* writer = open_writer();
    leveldb_writeoptions_t* options = leveldb_writeoptions_create();
    size_t written = 0;
    for (const auto& [key, value] : entries_) {
      char* message = nullptr;
      leveldb_put(writer, options, key.data(), key.size(), value.data(), value.size(), &message);
      ASSERT_EQ(message, nullptr);
      if (++written == entries_.size() / 2) leveldb_compact_range(writer, nullptr, 0, nullptr, 0);
    }
    leveldb_writeoptions_destroy(options);
    leveldb_close(writer);
  }

  leveldb_t* open_writer() const {
    leveldb_options_t* options = leveldb_options_create();
    leveldb_options_set_create_if_missing(options, 1);
    char* message = nullptr;
    leveldb_t* writer = leveldb_open(options, database().c_str(), &message);
    leveldb_options_destroy(options);
    EXPECT_EQ(message, nullptr) << message;
    return writer;
  }

  Result<LeveldbReader> open() const { return LeveldbReader::open(database(), scratch()); }

  Result<Entries> read_all(std::string_view prefix) const {
    PIECEWORK_ASSIGN(const LeveldbReader reader, open());
    Entries found;
    PIECEWORK_TRY(reader.visit_prefix(prefix, [&found](std::string_view key, ByteSpan value) -> Status {
      EXPECT_TRUE(found.empty() || found.rbegin()->first < key) << "not in order";
      found[std::string(key)] = as_text(value);
      return {};
    }));
    return found;
  }

  // Every file with its content, inode and times.
  std::map<std::string, std::string> snapshot() const {
    std::map<std::string, std::string> files;
    for (const auto& file : fs::directory_iterator(database())) {
      struct stat status;
      EXPECT_EQ(::lstat(file.path().c_str(), &status), 0);
      files[file.path().filename()] = std::to_string(status.st_ino) + " " + std::to_string(status.st_nlink) + " " +
                                      std::to_string(status.st_ctim.tv_sec) + " " +
                                      std::to_string(status.st_ctim.tv_nsec) + " " + read_file(file.path());
    }
    return files;
  }

  fs::path table() const {
    for (const auto& file : fs::directory_iterator(database())) {
      if (file.path().extension() == ".ldb") return file.path();
    }
    ADD_FAILURE() << "no table";
    return {};
  }

  TempDir temp_;
  Entries entries_;
};

TEST_F(LeveldbReaderTest, FindsWhatTablesAndLogHold) {
  make_database();
  EXPECT_EQ(read_all("").value(), entries_);
  EXPECT_EQ(read_all("/pins/pin/").value().size(), 500u);
  EXPECT_EQ(read_all("/none").value(), Entries{});
  const LeveldbReader reader = open().value();
  EXPECT_EQ(reader.get("/local/filesroot").value(), entries_["/local/filesroot"]);
  EXPECT_EQ(reader.get("/zzz").value(), "");
  EXPECT_EQ(reader.get("/local").value(), std::nullopt);
}

TEST_F(LeveldbReaderTest, ChangesNothingAndLeavesNothing) {
  make_database();
  const std::map<std::string, std::string> before = snapshot();
  EXPECT_TRUE(read_all(""));
  EXPECT_EQ(snapshot(), before);
  EXPECT_TRUE(fs::is_empty(scratch()));
}

TEST_F(LeveldbReaderTest, SaysWhereTheDatabaseIsOpenElsewhere) {
  make_database();
  leveldb_t* writer = open_writer();  // a POSIX lock, as leveldb takes it
  const Error posix = open().error();
  leveldb_close(writer);
  io::UniqueFd lock(::open((database() / "LOCK").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);  // as goleveldb takes it
  const Error flock = open().error();
  lock.reset();
  for (const Error& error : {posix, flock}) {
    EXPECT_EQ(error.code, ErrorCode::kUnavailable) << error.message;
    EXPECT_EQ(error.side, ErrorSide::kSource);
    EXPECT_NE(error.message.find("is locked"), std::string::npos) << error.message;
  }
  EXPECT_TRUE(open());
  EXPECT_TRUE(fs::is_empty(scratch()));
}

TEST_F(LeveldbReaderTest, KeepsWritersOutWhileItReads) {
  make_database();
  const Result<LeveldbReader> reader = open();
  ASSERT_TRUE(reader);
  const io::UniqueFd lock(::open((database() / "LOCK").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_NE(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_TRUE(open()) << "several readers at once";
}

TEST_F(LeveldbReaderTest, RefusesWhatIsNoLeveldb) {
  EXPECT_EQ(open().error().code, ErrorCode::kNotFound);
  fs::create_directory(database());
  EXPECT_EQ(open().error().code, ErrorCode::kUnsupported);
  write_file(database() / "CURRENT", "MANIFEST-000001\n");
  EXPECT_FALSE(open());
  write_file(database() / "MANIFEST-000001", "no manifest");
  EXPECT_EQ(open().error().code, ErrorCode::kCorrupt);
  fs::remove(database() / "CURRENT");
  ASSERT_EQ(::mkfifo((database() / "CURRENT").c_str(), 0600), 0);
  EXPECT_EQ(open().error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(fs::is_empty(scratch()));
}

TEST_F(LeveldbReaderTest, SaysWhatIsDamaged) {
  make_database();
  const std::string whole = read_file(table());
  std::string flipped = whole;
  flipped[20] ^= 1;
  write_file(table(), flipped);
  EXPECT_EQ(read_all("").error().code, ErrorCode::kCorrupt);
  write_file(table(), whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(read_all(""));
  write_file(table(), whole);
  EXPECT_TRUE(read_all(""));
  fs::remove(table());
  const Result<Entries> missing = read_all("");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find(database().string()), std::string::npos) << missing.error().message;
}

TEST_F(LeveldbReaderTest, AMissingScratchDirectoryIsTheDestinationsFault) {
  make_database();
  const Error error = LeveldbReader::open(database(), temp_ / "nowhere").error();
  EXPECT_EQ(error.side, ErrorSide::kDestination);
}

TEST_F(LeveldbReaderTest, TheVisitorsErrorEndsTheVisit) {
  make_database();
  const LeveldbReader reader = open().value();
  int visits = 0;
  const Status status = reader.visit_prefix("/pins", [&](std::string_view, ByteSpan) -> Status {
    ++visits;
    return fail(ErrorCode::kCancelled, ErrorSide::kSource, "enough");
  });
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(visits, 1);
}

}  // namespace
}  // namespace piecework::engine
