// Corpora on disk, and reading and writing them.
#include "tools/bench_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "engine/piece/commp.h"
#include "io/file.h"
#include "kernels/base/units.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

constexpr size_t kPartBytes = kMiB;

double rate(uint64_t bytes, double seconds) { return static_cast<double>(bytes) / seconds; }

Result<io::File> create_file(const std::filesystem::path& path) {
  io::UniqueFd descriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!descriptor.is_open()) return fail_errno(errno, ErrorSide::kDestination, path.native());
  return io::File(std::move(descriptor), path.native(), ErrorSide::kDestination);
}

Status write_large_file(const DiskCorpus& corpus, ByteSpan content) {
  PIECEWORK_ASSIGN(const io::File file, create_file(corpus.large_file));
  for (uint64_t copy = 0; copy < corpus.large_file_copies; ++copy)
    PIECEWORK_TRY(file.write_full(content, copy * content.size()));
  if (fsync(file.fd()) != 0) return fail_errno(errno, ErrorSide::kDestination, corpus.large_file.native());
  return {};
}

Result<double> measure_write(const DiskCorpus& corpus, ByteSpan content) {
  Status written;
  const double seconds = seconds_of([&] { written = write_large_file(corpus, content); });
  PIECEWORK_TRY(written);
  return rate(corpus.large_file_bytes, seconds);
}

Status read_large_file(const io::File& file, uint64_t file_bytes) {
  std::vector<uint8_t> part(kPartBytes);
  for (uint64_t offset_bytes = 0; offset_bytes < file_bytes; offset_bytes += part.size()) {
    PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(part, offset_bytes));
    if (read_bytes == 0) return fail(ErrorCode::kChanged, ErrorSide::kSource, file.path() + ": shorter than written");
  }
  return {};
}

// Drops the file's pages first; they are clean, as the write ended with fsync.
Result<double> measure_cold_read(const DiskCorpus& corpus) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(corpus.large_file.native(), ErrorSide::kSource));
  posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  Status finished;
  const double seconds = seconds_of([&] { finished = read_large_file(file, corpus.large_file_bytes); });
  PIECEWORK_TRY(finished);
  return rate(corpus.large_file_bytes, seconds);
}

// Warm: the cold read before it in each round has left the file in the page cache.
Result<double> measure_commp_of_file(const MemoryCorpus& memory, const DiskCorpus& corpus, unsigned thread_count) {
  Result<engine::Commp> commp;
  const double seconds = seconds_of([&] {
    commp =
        engine::commp_of_file(corpus.large_file.native(), {.thread_count = thread_count, .stop = &stop_requested()});
  });
  if (!commp) return tl::unexpected<Error>(commp.error());
  PIECEWORK_TRY(check_commp(memory, corpus.large_file_copies, *commp));
  return rate(corpus.large_file_bytes, seconds);
}

std::filesystem::path small_file(const DiskCorpus& corpus, size_t index) {
  return corpus.small_files / std::to_string(index);
}

Status read_small_files(const DiskCorpus& corpus) {
  std::vector<uint8_t> content(kSmallFileBytes);
  for (size_t index = 0; index < corpus.small_file_count; ++index) {
    PIECEWORK_ASSIGN(const io::File file, io::open_named(small_file(corpus, index).native(), ErrorSide::kSource));
    PIECEWORK_TRY(file.stamp());
    PIECEWORK_TRY(file.read_full(content, 0));
  }
  return {};
}

Result<double> measure_small_reads(const DiskCorpus& corpus) {
  Status finished;
  const double seconds = seconds_of([&] { finished = read_small_files(corpus); });
  PIECEWORK_TRY(finished);
  return rate(corpus.small_file_count * kSmallFileBytes, seconds);
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

Result<DiskCorpus> make_disk_corpus(const std::filesystem::path& directory, const MemoryCorpus& memory,
                                    const DiskCorpusOptions& options) {
  DiskCorpus corpus{.large_file = directory / "large",
                    .large_file_copies = options.large_file_copies,
                    .large_file_bytes = options.large_file_copies * memory.bytes.size(),
                    .small_files = directory / "small",
                    .small_file_count = options.small_file_count};
  std::error_code failed;
  std::filesystem::create_directory(corpus.small_files, failed);
  if (failed) return fail_errno(failed.value(), ErrorSide::kDestination, corpus.small_files.native());
  std::vector<uint8_t> content(kSmallFileBytes);
  for (size_t index = 0; index < corpus.small_file_count; ++index) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "bench: stopped");
    fill_random(content, index + 2);  // no two alike, and none like the large file
    PIECEWORK_ASSIGN(const io::File file, create_file(small_file(corpus, index)));
    PIECEWORK_TRY(file.write_full(content, 0));
  }
  return corpus;
}

void add_disk_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus, unsigned thread_count) {
  suite.add({.name = "disk_write", .description = "write and fsync of the large file", .measure = [&memory, &corpus] {
               return measure_write(corpus, memory.bytes);
             }});
  suite.add({.name = "disk_read", .description = "read of the large file, cache dropped", .measure = [&corpus] {
               return measure_cold_read(corpus);
             }});
  suite.add({.name = "small_files_read",
             .description = "open, stat, read of 16 KiB files, warm, 1 thread",
             .limit_names = {"copy"},
             .measure = [&corpus] { return measure_small_reads(corpus); }});
  suite.add(
      {.name = "commp_file",
       .description = fmt::format("commP of the large file, warm, {} threads", thread_count),
       .limit_names = {"commp_memory"},
       .measure = [&memory, &corpus, thread_count] { return measure_commp_of_file(memory, corpus, thread_count); }});
}

}  // namespace piecework::tools
