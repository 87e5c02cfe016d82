// A restore drill on a sample: files chosen at random from the file tables of output directories are read as a restore
// would read them, and nothing else of the CARs is. Source: design.md 6, docs/formats.md 8.
//
// Each file is found by its path from the piece's root, every block on the way and every block of the file is checked,
// so that a file that passes is what the piece's root CID names at that path. Where blocks lie is looked up in
// <piece>.nodes; nothing that it says is believed. The sample depends on the seed and the tables alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/restore/verify_report.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct DrillRequest {
  std::vector<std::string> directories;  // output directories of pack
  uint64_t sample_count = 100;           // files and symlinks
  uint64_t seed = 0;
  std::string scratch_directory;  // for indexes that do not fit memory
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* planned_bytes = nullptr;  // for progress: of the sample
  std::atomic<uint64_t>* done_bytes = nullptr;
};

struct DrilledFile {
  std::string piece;  // piece CID v1
  std::string path;
  std::string cid;
  uint64_t size_bytes = 0;
  bool is_ok = false;
};

struct DrillReport {
  uint64_t row_count = 0;          // that the sample was drawn from
  std::vector<DrilledFile> files;  // by directory, piece and place in the table
  uint64_t content_bytes = 0;      // that were read and right
  Findings faults;

  bool ok() const { return faults.count() == 0; }
};

// The memory of the sample grows with sample_count, at most kDrillSampleMax. Errors: kNotFound (source) where the
// directories hold no table with a row; kInvalidArgument (config) for too large a sample; of the scratch directory;
// kCancelled. Whatever else is wrong is a fault.
Result<DrillReport> run_drill(const DrillRequest& request);

inline constexpr uint64_t kDrillSampleMax = 10'000'000;

}  // namespace piecework::engine
