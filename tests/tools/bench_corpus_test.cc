// Corpora at their smoke size: what they hold, always the same, and what the cache holds of them.
#include "tools/bench_corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"
#include "tools/bench_disk.h"

namespace piecework::tools {
namespace {

std::map<std::string, std::string> contents(const DiskCorpus& corpus) {
  std::map<std::string, std::string> found;
  for (const CorpusFile& file : corpus.files)
    found[file.path.lexically_relative(corpus.source.parent_path())] = testing::read_file(file.path);
  return found;
}

TEST(BenchCorpusTest, IsTheSameEveryTimeAndDescribesItself) {
  const MemoryCorpus memory = make_memory_corpus(1);
  for (const std::string& name : disk_corpus_names()) {
    const testing::TempDir one;
    const testing::TempDir other;
    const Result<DiskCorpus> corpus = make_disk_corpus(name, one.path(), memory, true);
    const Result<DiskCorpus> again = make_disk_corpus(name, other.path(), memory, true);
    ASSERT_TRUE(corpus) << corpus.error().message;
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(contents(*corpus), contents(*again)) << name;
    uint64_t bytes = 0;
    for (const CorpusFile& file : corpus->files) {
      EXPECT_EQ(std::filesystem::file_size(file.path), file.bytes);
      bytes += file.bytes;
    }
    EXPECT_EQ(bytes, corpus->bytes) << name;
    EXPECT_FALSE(disk_corpus_description(name).empty());
  }
}

TEST(BenchCorpusTest, OnlyTheDuplicatesRepeat) {
  const MemoryCorpus memory = make_memory_corpus(1);
  for (const std::string& name : disk_corpus_names()) {
    const testing::TempDir directory;
    const Result<DiskCorpus> corpus = make_disk_corpus(name, directory.path(), memory, true);
    ASSERT_TRUE(corpus) << corpus.error().message;
    std::map<std::string, uint64_t> distinct;
    for (const auto& [path, content] : contents(*corpus)) distinct[content] = content.size();
    uint64_t distinct_bytes = 0;
    for (const auto& [content, length] : distinct) distinct_bytes += length;
    const double fraction = static_cast<double>(distinct_bytes) / static_cast<double>(corpus->bytes);
    EXPECT_NEAR(fraction, corpus->distinct_fraction, 0.01) << name;
  }
}

TEST(BenchCorpusTest, PagesAreCachedOnceReadAndDroppedOnRequest) {
  const MemoryCorpus memory = make_memory_corpus(1);
  const testing::TempDir directory;
  const Result<DiskCorpus> corpus = make_disk_corpus("small", directory.path(), memory, true);
  ASSERT_TRUE(corpus) << corpus.error().message;
  ASSERT_TRUE(read_files(*corpus, 3));
  Result<double> fraction = cached_fraction(*corpus);
  ASSERT_TRUE(fraction) << fraction.error().message;
  EXPECT_EQ(*fraction, 1);
  ASSERT_TRUE(drop_pages(*corpus));
  fraction = cached_fraction(*corpus);
  ASSERT_TRUE(fraction) << fraction.error().message;
  if (*fraction == 1) GTEST_SKIP() << "this file system keeps its pages (tmpfs does)";
  EXPECT_LT(*fraction, 0.1);
}

TEST(BenchCorpusTest, AFileThatIsGoneIsSaid) {
  const MemoryCorpus memory = make_memory_corpus(1);
  const testing::TempDir directory;
  const Result<DiskCorpus> corpus = make_disk_corpus("small", directory.path(), memory, true);
  ASSERT_TRUE(corpus) << corpus.error().message;
  std::filesystem::remove(corpus->files[70].path);
  const Status read = read_files(*corpus, 2);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace piecework::tools
