// A kubo repository for `piecework bench`, as `ipfs add` made them for years: flatfs, CIDv0, chunks of 256 KiB.
#pragma once

#include <filesystem>

#include "tools/bench_corpus.h"

namespace piecework::tools {

// Makes it in `directory`; its files' roots are in a list for --roots, as there are no pins. Errors: destination.
Result<DiskCorpus> make_flatfs_corpus(const std::filesystem::path& directory, bool smoke);

}  // namespace piecework::tools
