// The limits that a disk and its cache set for a corpus, as figures.
#pragma once

#include "kernels/base/error.h"
#include "tools/bench_corpus.h"
#include "tools/bench_suite.h"

namespace piecework::tools {

// Reads every file once. Errors: source.
Status read_files(const DiskCorpus& corpus, unsigned thread_count);
// Drops the files' pages from the cache (posix_fadvise; the corpus was synced), which needs no root. Names and inodes
// stay cached. Errors: source.
Status drop_pages(const DiskCorpus& corpus);
// The share of the files' pages that are cached, from a sample of the files. Errors: source.
Result<double> cached_fraction(const DiskCorpus& corpus);

// Adds:
//   disk_write   write (O_DIRECT where possible, into allocated space) and fsync of up to 1 GiB, in a file of `scratch`
//   read_cold    the files, pages dropped, with up to 32 reads in flight
//   read_warm    open, stat, read and close of the files, on one thread
//   digests      the digest kernels over blocks of the files' lengths, in memory, on one thread
// All outlive the suite.
void add_disk_figures(BenchSuite& suite, const MemoryCorpus& memory, const DiskCorpus& corpus,
                      const std::filesystem::path& scratch);

}  // namespace piecework::tools
