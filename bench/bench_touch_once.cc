// The bet of "each byte is touched once" (design.md, idea 2), without files: what a run's length costs and gains.
//
// A run's bytes are copied into a slot (a warm read), their blocks are digested, then Fr32 and the tree run over the
// same bytes. Runs of 2 to 32 MiB, blocks of 1 MiB and 16 KiB, on 1, 2 and all threads. Each figure stands beside the
// limit of the same program run: the time that copy, digest kernel and node kernel alone would need for the same bytes,
// each on data in cache. "Of limit" compares processor time, so that it means something on a machine that others use
// too. `apart` does the digests of the whole corpus first and the trees afterwards: what touching once is worth.
// Resident memory is the high-water mark less the corpus. Medians of alternating rounds; the roots are folded into a
// hash that must not depend on the row.
//
//   bench_touch_once [--smoke] [--rounds N]      PIECEWORK_FORCE_VARIANT=... is honoured
#include <fmt/format.h>
#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/piece/segment_tree.h"
#include "kernels/fr32/fr32.h"
#include "kernels/sha256/sha256.h"
#include "kernels/variant.h"
#include "tools/measure.h"

namespace piecework {
namespace {

using engine::kSegmentBytes;
using tools::cpu_seconds_of;
using tools::seconds_of;

struct Settings {
  size_t corpus_segments = 128;
  int rounds = 7;
};

struct Row {
  size_t block_bytes = 0;
  unsigned thread_count = 1;
  size_t run_segments = 0;  // 0: apart, on the whole corpus
  auto operator<=>(const Row&) const = default;
};

struct Outcome {
  std::vector<double> seconds;
  std::vector<double> cpu_seconds;
  uint64_t resident_bytes = 0;
  Digest32 hash{};
};

// High-water mark of resident memory since the last reset, in bytes.
uint64_t resident_max_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * kKiB;
  return 0;
}
void reset_resident_max() { std::ofstream("/proc/self/clear_refs") << "5"; }

// Digests `bytes` cut into blocks, the last one shorter.
void digest_blocks(ByteSpan bytes, size_t block_bytes, std::vector<Digest32>& digests) {
  const size_t block_count = div_ceil(bytes.size(), block_bytes);
  digests.resize(block_count);
  std::vector<kernels::HashJob> jobs(block_count);
  for (size_t block = 0; block < block_count; ++block) {
    const size_t offset_bytes = block * block_bytes;
    jobs[block] = {bytes.data() + offset_bytes, std::min(block_bytes, bytes.size() - offset_bytes),
                   digests[block].data()};
  }
  kernels::hash_many(jobs);
}

// Runs `work(run_index, slot)` for every run on `thread_count` threads; each has one slot.
template <class Work>
void for_each_run(size_t run_count, size_t slot_bytes, unsigned thread_count, const Work& work) {
  std::atomic<size_t> next_run{0};
  const auto loop = [&] {
    std::vector<uint8_t> slot(slot_bytes);
    for (size_t run = next_run++; run < run_count; run = next_run++) work(run, slot);
  };
  std::vector<std::thread> threads;
  for (unsigned thread = 1; thread < thread_count; ++thread) threads.emplace_back(loop);
  loop();
  for (std::thread& thread : threads) thread.join();
}

void hash_segments(ByteSpan bytes, Digest32* roots) {
  for (size_t offset = 0; offset < bytes.size(); offset += kSegmentBytes)
    *roots++ = engine::segment_root(&bytes[offset]);
}

ByteSpan run_of(ByteSpan corpus, size_t run, size_t run_bytes) {
  return corpus.subspan(run * run_bytes, std::min(run_bytes, corpus.size() - run * run_bytes));
}

ByteSpan copy_run(ByteSpan source, std::vector<uint8_t>& slot) {
  std::memcpy(slot.data(), source.data(), source.size());
  return {slot.data(), source.size()};
}

void touch_once(ByteSpan corpus, const Row& row, std::vector<Digest32>& roots) {
  const size_t run_bytes = row.run_segments * kSegmentBytes;
  for_each_run(div_ceil(corpus.size(), run_bytes), run_bytes, row.thread_count, [&](size_t run, auto& slot) {
    const ByteSpan bytes = copy_run(run_of(corpus, run, run_bytes), slot);
    std::vector<Digest32> digests;
    digest_blocks(bytes, row.block_bytes, digests);
    hash_segments(bytes, &roots[run * row.run_segments]);
  });
}

// Two passes over the corpus, each in parts of 16 segments, as two programs one after the other would make them.
void touch_apart(ByteSpan corpus, const Row& row, std::vector<Digest32>& roots) {
  constexpr size_t kPartSegments = 16;
  constexpr size_t kPartBytes = kPartSegments * kSegmentBytes;
  const size_t part_count = div_ceil(corpus.size(), kPartBytes);
  for_each_run(part_count, kPartBytes, row.thread_count, [&](size_t part, auto& slot) {
    std::vector<Digest32> digests;
    digest_blocks(copy_run(run_of(corpus, part, kPartBytes), slot), row.block_bytes, digests);
  });
  for_each_run(part_count, kPartBytes, row.thread_count, [&](size_t part, auto& slot) {
    hash_segments(copy_run(run_of(corpus, part, kPartBytes), slot), &roots[part * kPartSegments]);
  });
}

void measure_row(ByteSpan corpus, const Row& row, Outcome& outcome) {
  std::vector<Digest32> roots(corpus.size() / kSegmentBytes);
  reset_resident_max();
  outcome.cpu_seconds.push_back(cpu_seconds_of([&] {
    outcome.seconds.push_back(seconds_of([&] {
      if (row.run_segments == 0) {
        touch_apart(corpus, row, roots);
      } else {
        touch_once(corpus, row, roots);
      }
    }));
  }));
  outcome.resident_bytes = std::max(outcome.resident_bytes, resident_max_bytes());
  outcome.hash = kernels::sha256({roots.front().data(), roots.size() * kDigestBytes});
}

// Seconds per byte on one thread, data in cache.
struct Limits {
  std::vector<double> copy, nodes;
  std::map<size_t, std::vector<double>> digests;  // by block length

  double seconds_per_byte(size_t block_bytes) const {
    return tools::median(copy) + tools::median(digests.at(block_bytes)) + tools::median(nodes);
  }
};

void measure_limits(ByteSpan corpus, const std::set<size_t>& block_lengths, Limits& limits) {
  std::vector<uint8_t> target(16 * kSegmentBytes);
  const ByteSpan source = corpus.first(std::min(corpus.size(), target.size()));
  limits.copy.push_back(cpu_seconds_of([&] { std::memcpy(target.data(), source.data(), source.size()); }) /
                        static_cast<double>(source.size()));
  constexpr size_t kNodeCount = 1024;
  constexpr int kNodeRepeats = 256;
  limits.nodes.push_back(cpu_seconds_of([&] {
                           for (int repeat = 0; repeat < kNodeRepeats; ++repeat)
                             kernels::hash_nodes(target.data(), corpus.data(), kNodeCount);
                         }) *
                         4 / (static_cast<double>(kNodeRepeats * kNodeCount) * engine::kQuadBytes));
  for (const size_t block_bytes : block_lengths) {
    std::vector<Digest32> digests;
    const ByteSpan blocks = source.first(align_down(source.size(), block_bytes));
    limits.digests[block_bytes].push_back(cpu_seconds_of([&] { digest_blocks(blocks, block_bytes, digests); }) /
                                          static_cast<double>(blocks.size()));
  }
}

std::vector<Row> rows_to_measure() {
  std::vector<Row> rows;
  const std::set<unsigned> thread_counts{1, 2, std::max(1u, std::thread::hardware_concurrency())};
  for (const size_t block_bytes : {kMiB, 16 * kKiB})
    for (const unsigned thread_count : thread_counts)
      for (const size_t run_segments : {2u, 4u, 8u, 16u, 32u, 0u})
        rows.push_back({block_bytes, thread_count, run_segments});
  return rows;
}

std::string active_variants() {
  std::vector<kernels::VariantInfo> variants(64);
  variants.resize(kernels::list_variants(variants));
  std::string names;
  for (const kernels::VariantInfo& variant : variants)
    if (variant.active) names += fmt::format(" {}={}", variant.kernel, variant.name);
  return names;
}

void print_limits(const Limits& limits) {
  fmt::print("one thread, in cache: copy {:.2f} GB/s, tree {:.2f} GB/s of payload", 1e-9 / tools::median(limits.copy),
             1e-9 / tools::median(limits.nodes));
  for (const auto& [block_bytes, seconds] : limits.digests)
    fmt::print(", digests of {} KiB blocks {:.2f} GB/s", block_bytes / kKiB, 1e-9 / tools::median(seconds));
  fmt::print("\n");
}

void print_row(const Row& row, const Outcome& outcome, double ideal_seconds, uint64_t corpus_bytes,
               uint64_t idle_resident_bytes) {
  const double corpus_gigabytes = 1e-9 * static_cast<double>(corpus_bytes);
  const double cpu_seconds = tools::median(outcome.cpu_seconds);
  const std::string run = row.run_segments == 0 ? "apart" : fmt::format("{} MiB", row.run_segments);
  const uint64_t resident_bytes = outcome.resident_bytes - std::min(outcome.resident_bytes, idle_resident_bytes);
  fmt::print("{:>9} {:>8} {:>8} {:>7.3f} {:>12.3f} {:>7.0f} % {:>13.1f}\n", row.block_bytes / kKiB, row.thread_count,
             run, corpus_gigabytes / tools::median(outcome.seconds), corpus_gigabytes / cpu_seconds,
             100 * ideal_seconds / cpu_seconds, static_cast<double>(resident_bytes) / kMiB);
}

// False where the rows disagree on the roots.
bool print_table(const std::map<Row, Outcome>& outcomes, const Limits& limits, uint64_t corpus_bytes,
                 uint64_t idle_resident_bytes) {
  fmt::print("{:>9} {:>8} {:>8} {:>7} {:>12} {:>9} {:>13}\n", "block KiB", "threads", "run", "GB/s", "GB per cpu s",
             "of limit", "resident MiB");
  bool equal = true;
  for (const auto& [row, outcome] : outcomes) {
    const double ideal_seconds = limits.seconds_per_byte(row.block_bytes) * static_cast<double>(corpus_bytes);
    print_row(row, outcome, ideal_seconds, corpus_bytes, idle_resident_bytes);
    equal = equal && outcome.hash == outcomes.begin()->second.hash;
  }
  fmt::print("hash of the roots {}{}\n", to_hex(outcomes.begin()->second.hash), equal ? "" : ": ROWS DISAGREE");
  return equal;
}

Settings parse_settings(int argc, char** argv) {
  Settings settings;
  for (int index = 1; index < argc; ++index) {
    const std::string_view flag = argv[index];
    if (flag == "--smoke") settings = {.corpus_segments = 4, .rounds = 1};
    if (flag == "--rounds" && index + 1 < argc) settings.rounds = std::max(1, std::atoi(argv[++index]));
  }
  return settings;
}

int run(const Settings& settings) {
  const char* forced = std::getenv("PIECEWORK_FORCE_VARIANT");
  if (forced != nullptr && !kernels::force_variants(forced).ok) {
    fmt::print(stderr, "PIECEWORK_FORCE_VARIANT={} is refused\n", forced);
    return 64;
  }
  mallopt(M_MMAP_THRESHOLD, kMiB);  // slots go back to the system at once, so that each row shows its own memory
  std::vector<uint8_t> corpus(settings.corpus_segments * kSegmentBytes);
  tools::fill_random(corpus);
  fmt::print("variants:{}\n", active_variants());
  reset_resident_max();
  const uint64_t idle_resident_bytes = resident_max_bytes();

  Limits limits;
  std::map<Row, Outcome> outcomes;
  for (int round = 0; round < settings.rounds; ++round) {
    measure_limits(corpus, {kMiB, 16 * kKiB}, limits);
    for (const Row& row : rows_to_measure()) measure_row(corpus, row, outcomes[row]);
  }
  print_limits(limits);
  return print_table(outcomes, limits, corpus.size(), idle_resident_bytes) ? 0 : 1;
}

}  // namespace
}  // namespace piecework

int main(int argc, char** argv) { return piecework::run(piecework::parse_settings(argc, argv)); }
