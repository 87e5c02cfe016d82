// The figures of `piecework bench` for the main job: pack of one large file and of many small ones, to CAR files on the
// disk.
#pragma once

#include "tools/bench_disk.h"
#include "tools/bench_suite.h"

namespace piecework::tools {

// `corpus` outlives the suite; pieces are written beside it and removed after each try. The source is warm. Bytes are
// those of the CAR; time ends when the last name is published, fsync included. Every try must give the same piece as
// the first, whose CAR is read back and hashed by commp_of_file. REQUIRES: the memory and disk figures are in the
// suite.
void add_pack_figures(BenchSuite& suite, const DiskCorpus& corpus, unsigned thread_count);

}  // namespace piecework::tools
