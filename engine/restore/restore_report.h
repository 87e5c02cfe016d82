// What a restore did, and what it could not do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/restore/verify_report.h"

namespace piecework::engine {

// A symlink that leads out of the target and was therefore not made.
struct LeftOutSymlink {
  std::string path;
  std::string link_target;
};

struct RestoreReport {
  static constexpr size_t kLeftOutKeptMax = 1000;

  Findings problems;   // of the CARs: something is not restored
  Findings conflicts;  // of the target: something else has the name
  uint64_t file_count = 0;
  uint64_t directory_count = 0;
  uint64_t symlink_count = 0;
  uint64_t content_bytes = 0;  // of files that were restored or kept
  uint64_t kept_count = 0;     // files and symlinks that were there already, and equal
  std::vector<LeftOutSymlink> left_out;
  uint64_t left_out_count = 0;

  bool ok() const { return problems.count() == 0 && conflicts.count() == 0; }
};

}  // namespace piecework::engine
