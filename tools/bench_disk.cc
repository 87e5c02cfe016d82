// Plain system calls on plain threads: what the machine gives to a program that does nothing else.
#include "tools/bench_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#include "io/file.h"
#include "io/limits.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"

namespace piecework::tools {
namespace {

constexpr uint64_t kPartBytes = 4 * kMiB;  // of a large file that several threads read
constexpr uint64_t kBlockBytesMax = kMiB;
constexpr uint64_t kWrittenBytesMax = kGiB;
constexpr uint64_t kWrittenPartBytes = kMiB;
constexpr unsigned kReadsInFlight = 32;
constexpr unsigned kWritesInFlight = 8;
constexpr size_t kSampledFiles = 256;

struct Part {
  const CorpusFile* file = nullptr;
  uint64_t offset_bytes = 0;
};

std::vector<Part> parts_of(const DiskCorpus& corpus) {
  std::vector<Part> parts;
  for (const CorpusFile& file : corpus.files)
    for (uint64_t offset = 0; offset < file.bytes; offset += kPartBytes) parts.push_back({&file, offset});
  return parts;
}

Status read_part(const Part& part, std::vector<uint8_t>& buffer) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(part.file->path.native(), ErrorSide::kSource));
  PIECEWORK_TRY(file.stamp());
  const uint64_t wanted_bytes = std::min(kPartBytes, part.file->bytes - part.offset_bytes);
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full({buffer.data(), wanted_bytes}, part.offset_bytes));
  if (read_bytes == wanted_bytes) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource, file.path() + ": shorter than written");
}

// The first error of any thread. Safe for concurrent use; get() after the threads.
class SharedStatus {
 public:
  void set(Status status) {
    if (status) return;
    const std::scoped_lock lock(mutex_);
    if (!has_failed_.exchange(true)) status_ = std::move(status);
  }
  bool has_failed() const { return has_failed_; }
  Status get() const { return status_; }

 private:
  std::mutex mutex_;
  std::atomic<bool> has_failed_{false};
  Status status_;
};

void on_threads(unsigned thread_count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  for (unsigned thread = 1; thread < thread_count; ++thread) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

Result<Sample> measure_reads(const DiskCorpus& corpus, unsigned thread_count) {
  Status finished;
  const Sample sample = sample_of(corpus.bytes, [&] { finished = read_files(corpus, thread_count); });
  PIECEWORK_TRY(finished);
  return sample;
}

// Past the page cache where the file system can, into space that it has set aside: the disk's own rate.
Result<io::File> open_for_writing(const std::filesystem::path& path, uint64_t bytes) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  io::UniqueFd descriptor(open(path.c_str(), kFlags | O_DIRECT, 0600));
  if (!descriptor.is_open() && errno == EINVAL) descriptor = io::UniqueFd(open(path.c_str(), kFlags, 0600));
  if (!descriptor.is_open()) return fail_errno(errno, ErrorSide::kDestination, path.native());
  static_cast<void>(fallocate(descriptor.get(), 0, 0, static_cast<off_t>(bytes)));  // not every file system has it
  return io::File(std::move(descriptor), path.native(), ErrorSide::kDestination);
}

// The content in whole parts, aligned as O_DIRECT wants them.
ByteSpan aligned_parts(ByteSpan content, uint64_t part_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(content.data());
  const ByteSpan aligned = content.subspan(align_up(address, io::page_size_bytes()) - address);
  return aligned.first(align_down(aligned.size(), part_bytes));
}

Status write_and_sync(const io::File& file, ByteSpan content, uint64_t bytes) {
  const ByteSpan parts = aligned_parts(content, kWrittenPartBytes);
  std::atomic<uint64_t> next_offset{0};
  SharedStatus status;
  on_threads(kWritesInFlight, [&] {
    for (uint64_t offset = next_offset.fetch_add(kWrittenPartBytes); offset < bytes && !status.has_failed();
         offset = next_offset.fetch_add(kWrittenPartBytes))
      status.set(file.write_full(parts.subspan(offset % parts.size(), kWrittenPartBytes), offset));
  });
  PIECEWORK_TRY(status.get());
  if (fsync(file.fd()) != 0) return fail_errno(errno, ErrorSide::kDestination, file.path());
  return {};
}

Result<Sample> measure_write(const std::filesystem::path& path, ByteSpan content, uint64_t bytes) {
  Status written;
  const Sample sample = sample_of(bytes, [&] {
    const Result<io::File> file = open_for_writing(path, bytes);
    written = file ? write_and_sync(*file, content, bytes) : Status(tl::unexpected<Error>(file.error()));
  });
  std::error_code failed;
  std::filesystem::remove(path, failed);
  PIECEWORK_TRY(written);
  return sample;
}

// As many blocks as fit the corpus in memory, with the lengths of the first files' blocks over and over.
std::vector<kernels::HashJob> block_jobs(ByteSpan memory, const DiskCorpus& corpus, std::vector<Digest32>& digests) {
  std::vector<kernels::HashJob> jobs;
  uint64_t offset = 0;
  for (size_t file = 0;; file = (file + 1) % corpus.files.size()) {
    for (uint64_t rest = corpus.files[file].bytes; rest > 0;) {
      const uint64_t block_bytes = std::min(rest, kBlockBytesMax);
      if (block_bytes > memory.size() - offset) {
        digests.resize(jobs.size());
        for (size_t job = 0; job < jobs.size(); ++job) jobs[job].digest = digests[job].data();
        return jobs;
      }
      jobs.push_back({memory.data() + offset, block_bytes, nullptr});
      offset += block_bytes;
      rest -= block_bytes;
    }
  }
}

Result<Sample> measure_digests(ByteSpan memory, const DiskCorpus& corpus) {
  std::vector<Digest32> digests;
  const std::vector<kernels::HashJob> jobs = block_jobs(memory, corpus, digests);
  uint64_t bytes = 0;
  for (const kernels::HashJob& job : jobs) bytes += job.data_bytes;
  return sample_of(bytes, [&] { kernels::hash_many(jobs); });
}

}  // namespace

Status read_files(const DiskCorpus& corpus, unsigned thread_count) {
  const std::vector<Part> parts = parts_of(corpus);
  std::atomic<size_t> next_part{0};
  SharedStatus status;
  on_threads(thread_count, [&] {
    std::vector<uint8_t> buffer(kPartBytes);
    for (size_t part = next_part++; part < parts.size() && !status.has_failed(); part = next_part++)
      status.set(read_part(parts[part], buffer));
  });
  return status.get();
}

Status drop_pages(const DiskCorpus& corpus) {
  for (const CorpusFile& corpus_file : corpus.files) {
    PIECEWORK_ASSIGN(const io::File file, io::open_named(corpus_file.path.native(), ErrorSide::kSource));
    posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
  return {};
}

Result<double> cached_fraction(const DiskCorpus& corpus) {
  uint64_t page_count = 0;
  uint64_t cached_count = 0;
  const size_t step = std::max<size_t>(1, corpus.files.size() / kSampledFiles);
  for (size_t index = 0; index < corpus.files.size(); index += step) {
    const CorpusFile& corpus_file = corpus.files[index];
    PIECEWORK_ASSIGN(const io::File file, io::open_named(corpus_file.path.native(), ErrorSide::kSource));
    void* const mapped = mmap(nullptr, corpus_file.bytes, PROT_READ, MAP_SHARED, file.fd(), 0);
    if (mapped == MAP_FAILED) return fail_errno(errno, ErrorSide::kSource, file.path());
    std::vector<unsigned char> pages(div_ceil(corpus_file.bytes, io::page_size_bytes()));
    const int failed = mincore(mapped, corpus_file.bytes, pages.data());
    const int error = errno;
    munmap(mapped, corpus_file.bytes);
    if (failed != 0) return fail_errno(error, ErrorSide::kSource, file.path());
    page_count += pages.size();
    cached_count += static_cast<uint64_t>(std::ranges::count_if(pages, [](unsigned char page) { return page & 1; }));
  }
  return static_cast<double>(cached_count) / static_cast<double>(page_count);
}

void add_disk_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus,
                      const std::filesystem::path& scratch) {
  const uint64_t written_bytes = align_up(std::min(corpus.bytes, kWrittenBytesMax), kWrittenPartBytes);
  suite.add({.name = "disk_write",
             .description = fmt::format("write and fsync, {} in flight", kWritesInFlight),
             .measure = [&memory, scratch, written_bytes] {
               return measure_write(scratch / "written", memory.bytes, written_bytes);
             }});
  const auto reads_in_flight = static_cast<unsigned>(std::min<size_t>(parts_of(corpus).size(), kReadsInFlight));
  suite.add({.name = "read_cold",
             .description = fmt::format("read, {} in flight", reads_in_flight),
             .cache = "cold",
             .measure = [&corpus, reads_in_flight]() -> Result<Sample> {
               PIECEWORK_TRY(drop_pages(corpus));
               return measure_reads(corpus, reads_in_flight);
             }});
  suite.add({.name = "read_warm", .description = "open, stat, read, close", .cache = "warm", .measure = [&corpus] {
               return measure_reads(corpus, 1);
             }});
  suite.add({.name = "digests", .description = "digests of such blocks in memory", .measure = [&memory, &corpus] {
               return measure_digests(memory.bytes, corpus);
             }});
}

}  // namespace piecework::tools
