// Sizes of files and where they lie; contents are random and no two alike.
#include "tools/bench_corpus.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "io/file.h"
#include "kernels/base/check.h"
#include "kernels/base/units.h"
#include "tools/bench_flatfs.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

constexpr uint64_t kSmallFileBytes = 16 * kKiB;
constexpr uint64_t kFirstSeed = 2;  // 1 is the corpus in memory

Status make_directories(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return fail_errno(failed.value(), ErrorSide::kDestination, path.native());
  return {};
}

Status write_random_file(DiskCorpus& corpus, const std::filesystem::path& path, uint64_t bytes, uint64_t seed) {
  std::vector<uint8_t> content(bytes);
  fill_random(content, seed);
  return write_corpus_file(corpus, path, content);
}

// ---- One large file -------------------------------------------------------------------------------------------------

Result<DiskCorpus> make_large(const std::filesystem::path& directory, const MemoryCorpus& memory, bool smoke) {
  DiskCorpus corpus{
      .source = directory / "large", .pack_options = {"--dedup", "none"}, .memory_corpus_copies = smoke ? 2u : 8u};
  io::UniqueFd descriptor(open(corpus.source.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!descriptor.is_open()) return fail_errno(errno, ErrorSide::kDestination, corpus.source.native());
  const io::File file(std::move(descriptor), corpus.source.native(), ErrorSide::kDestination);
  for (uint64_t copy = 0; copy < corpus.memory_corpus_copies; ++copy)
    PIECEWORK_TRY(file.write_full(memory.bytes, copy * memory.bytes.size()));
  corpus.bytes = corpus.memory_corpus_copies * memory.bytes.size();
  corpus.files.push_back({corpus.source, corpus.bytes});
  return corpus;
}

// ---- Many small ones ------------------------------------------------------------------------------------------------

Result<DiskCorpus> make_small(const std::filesystem::path& directory, bool smoke) {
  DiskCorpus corpus{.source = directory / "small", .pack_options = {"--dedup", "none"}};
  PIECEWORK_TRY(make_directories(corpus.source));
  const uint64_t count = smoke ? 100 : 100000;
  for (uint64_t index = 0; index < count; ++index) {
    const std::filesystem::path path = corpus.source / std::to_string(index);
    PIECEWORK_TRY(write_random_file(corpus, path, kSmallFileBytes, kFirstSeed + index));
  }
  return corpus;
}

// ---- As web sites are -----------------------------------------------------------------------------------------------

struct SizeClass {
  unsigned percent;
  uint64_t bytes_min;
  unsigned doublings;     // up to the longest
  std::string_view path;  // with the file's index
};
constexpr std::array<SizeClass, 4> kWebClasses{{{45, 400, 5, "pages/{:05}.html"},
                                                {25, kKiB, 6, "assets/{:05}.js"},
                                                {25, 4 * kKiB, 7, "images/{:05}.webp"},
                                                {5, 256 * kKiB, 4, "media/{:05}.mp4"}}};
constexpr uint64_t kFilesPerSite = 100;

struct WebFile {
  std::string path;
  uint64_t bytes = 0;
};

// The kind follows from the index, the length from it and random numbers: any doubling is as likely as another, and
// inside one any length. In whole numbers, so that every machine comes to the same.
WebFile web_file(uint64_t index) {
  std::array<uint8_t, 2 * sizeof(uint64_t)> random{};
  fill_random(random, kFirstSeed + index);
  const SizeClass* size_class = kWebClasses.data();
  for (uint64_t rest = index % 100; rest >= size_class->percent; ++size_class) rest -= size_class->percent;
  const uint64_t bytes_min = size_class->bytes_min << (random[4] % size_class->doublings);
  const uint64_t bytes = bytes_min + bytes_min * (random[12] * 256u + random[13]) / 65536;
  return {fmt::format(fmt::runtime(size_class->path), index), bytes};
}

Status make_sites(DiskCorpus& corpus, const std::filesystem::path& directory, uint64_t file_count) {
  for (uint64_t index = 0; index < file_count; ++index) {
    const WebFile file = web_file(index);
    const std::filesystem::path path = directory / fmt::format("site-{:03}", index / kFilesPerSite) / file.path;
    PIECEWORK_TRY(make_directories(path.parent_path()));
    PIECEWORK_TRY(write_random_file(corpus, path, file.bytes, kFirstSeed + index));
  }
  return {};
}

Result<DiskCorpus> make_web(const std::filesystem::path& directory, bool smoke) {
  DiskCorpus corpus{.source = directory / "web", .pack_options = {"--dedup", "none"}};
  PIECEWORK_TRY(make_sites(corpus, corpus.source, smoke ? 100 : 6000));
  return corpus;
}

// ---- Mostly duplicates ----------------------------------------------------------------------------------------------

// The same sites four times, each time with one file that the others lack, so that no two directories are equal.
Result<DiskCorpus> make_duplicates(const std::filesystem::path& directory, bool smoke) {
  constexpr uint64_t kCopies = 4;
  DiskCorpus corpus{.source = directory / "duplicates", .pack_options = {"--dedup", "files"}};
  const uint64_t file_count = smoke ? 20 : 1500;
  for (uint64_t copy = 0; copy < kCopies; ++copy) {
    const std::filesystem::path sites = corpus.source / fmt::format("copy-{}", copy);
    PIECEWORK_TRY(make_sites(corpus, sites, file_count));
    PIECEWORK_TRY(write_random_file(corpus, sites / "index.html", kKiB + copy, kFirstSeed + file_count + copy));
  }
  corpus.distinct_fraction = 1.0 / kCopies;
  return corpus;
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::create(const std::filesystem::path& parent) {
  std::string name = (parent / "piecework-bench-XXXXXX").native();
  if (mkdtemp(name.data()) == nullptr) return fail_errno(errno, ErrorSide::kDestination, parent.native());
  return ScratchDirectory(name);
}

ScratchDirectory::~ScratchDirectory() {
  if (path_.empty()) return;
  std::error_code failed;
  std::filesystem::remove_all(path_, failed);
  if (failed) print_message(fmt::format("warning: {} was not removed: {}", path_.native(), failed.message()));
}

Status write_corpus_file(DiskCorpus& corpus, const std::filesystem::path& path, ByteSpan content) {
  if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "bench: stopped");
  io::UniqueFd descriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!descriptor.is_open()) return fail_errno(errno, ErrorSide::kDestination, path.native());
  const io::File file(std::move(descriptor), path.native(), ErrorSide::kDestination);
  PIECEWORK_TRY(file.write_full(content, 0));
  corpus.files.push_back({path, content.size()});
  corpus.bytes += content.size();
  return {};
}

std::vector<std::string> disk_corpus_names() { return {"large", "small", "web", "duplicates", "flatfs"}; }

std::string disk_corpus_description(std::string_view name) {
  if (name == "large") return "one large file";
  if (name == "small") return "files of 16 KiB in one directory";
  if (name == "web") return "files as of web sites, 400 bytes to 4 MiB";
  if (name == "duplicates") return "the files of web sites four times, --dedup files";
  return "a kubo repository (flatfs), chunks of 256 KiB";
}

Result<DiskCorpus> make_disk_corpus(std::string_view name, const std::filesystem::path& directory,
                                    const MemoryCorpus& memory, bool smoke) {
  const auto make = [&]() -> Result<DiskCorpus> {
    if (name == "large") return make_large(directory, memory, smoke);
    if (name == "small") return make_small(directory, smoke);
    if (name == "web") return make_web(directory, smoke);
    if (name == "duplicates") return make_duplicates(directory, smoke);
    PIECEWORK_CHECK(name == "flatfs");
    return make_flatfs_corpus(directory, smoke);
  };
  PIECEWORK_ASSIGN(DiskCorpus corpus, make());
  // Pages that are not on the disk yet could not be dropped.
  const io::UniqueFd descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open() || syncfs(descriptor.get()) != 0)
    return fail_errno(errno, ErrorSide::kDestination, directory.native());
  return corpus;
}

}  // namespace piecework::tools
