// What `piecework bench` prints: a table for people, one JSON object for programs.
#pragma once

#include <string>
#include <vector>

#include "tools/bench_suite.h"
#include "tools/json_output.h"

namespace piecework::tools {

// One corpus and what was measured on it.
struct CorpusReport {
  std::string name;
  std::string description;
  uint64_t bytes = 0;
  uint64_t file_count = 0;  // 0: in memory
  std::string commp;        // hexadecimal, where `piece_cid_v2` is that of the corpus itself
  std::string piece_cid_v2;
  BenchSuite suite;
};

struct BenchReport {
  unsigned thread_count = 1;  // the most that were used
  int round_count = 1;
  bool smoke = false;
  double seconds = 0;
  std::vector<CorpusReport> corpora;
};

Json bench_json(const BenchReport& report);
std::string bench_text(const BenchReport& report);

}  // namespace piecework::tools
