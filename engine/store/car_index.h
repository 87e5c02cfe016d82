// From the CID of a block to its place among many CARs, in bounded memory.
//
// An entry is keyed by the first 16 bytes of the SHA-256 of the CID's bytes (the whole CID, version and codec
// included): of the CID's own digest a hostile CAR could choose any bytes, and hide another file's block behind a key
// that is equal. A caller compares the whole CID at the place that it finds, so that even two CIDs with one key only
// make the later one missing; the index never leads to another block.
//
// Entries are collected in memory; what does not fit is written as sorted runs to a file without a name in the scratch
// directory and merged into another one, in which a table in memory finds the page to read. Nothing is ever inserted
// into the middle of a file. The result does not depend on the memory. Of entries with one key the first counts: lowest
// file, then lowest offset.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Big-endian halves of the key's 16 bytes. Neither this nor an entry has initial values: room for millions of them is
// taken at once, and must not be touched before it is used.
struct CarIndexKey {
  uint64_t high;
  uint64_t low;

  auto operator<=>(const CarIndexKey&) const = default;
};

CarIndexKey car_index_key(ByteSpan cid_bytes);

// As it stands in memory and in the scratch files, which no other process reads.
struct CarIndexEntry {
  CarIndexKey key;
  uint64_t offset_bytes;  // of the block's data in its file
  uint32_t file_index;
  uint32_t length_bytes;  // of the data

  bool operator==(const CarIndexEntry&) const = default;
};
static_assert(sizeof(CarIndexEntry) == 32 && std::is_trivially_default_constructible_v<CarIndexEntry>);

// Order of the index: key, file, offset.
bool is_before(const CarIndexEntry& a, const CarIndexEntry& b);

// A finished index. Thread-compatible: find() reads into a buffer of its own.
class CarIndex {
 public:
  CarIndex() = default;

  // The entry with this key, or none. Errors (destination): the scratch file cannot be read.
  Result<std::optional<CarIndexEntry>> find(const CarIndexKey& key);

  uint64_t entry_count() const { return entry_count_; }  // without repeats
  uint64_t repeat_count() const { return repeat_count_; }
  bool is_in_memory() const { return !file_.is_open(); }

 private:
  friend class CarIndexBuilder;

  uint64_t entry_count_ = 0;
  uint64_t repeat_count_ = 0;
  std::unique_ptr<CarIndexEntry[]> entries_;  // all of them, where they fit in memory

  io::File file_;                    // else all of them here, in order
  uint64_t stride_ = 0;              // entries per page
  std::vector<CarIndexKey> fences_;  // the first key of every page
  std::vector<CarIndexEntry> page_;
};

// Told of each entry whose key the entry before it, in the index's order, has as well. An error ends the building.
using CarIndexRepeat = std::function<Status(const CarIndexEntry& before, const CarIndexEntry& repeat)>;

// Builds an index. Thread-compatible.
class CarIndexBuilder {
 public:
  static constexpr uint64_t kMemoryBytesMin = 4096;

  // Takes `memory_bytes` (at least kMemoryBytesMin are used) while entries come in and are merged, and for a finished
  // index in memory; for a larger index the table takes up to a quarter of that. A page of 4 KiB is needed for each run
  // that is merged, which passes `memory_bytes` = 64 MiB at 3 * 10^10 entries.
  CarIndexBuilder(std::string scratch_directory, uint64_t memory_bytes);

  // Errors (destination): a run cannot be written to the scratch directory.
  Status append(const CarIndexEntry& entry);

  // Sorts, merges and drops repeats. Errors: those of `on_repeat`; of the scratch directory (destination).
  // REQUIRES: nothing is called afterwards.
  Result<CarIndex> finish(const CarIndexRepeat& on_repeat);

 private:
  struct Run {
    uint64_t begin_bytes = 0;
    uint64_t entry_count = 0;
  };

  Status spill();
  Status merge(const CarIndexRepeat& on_repeat, CarIndex& index);

  std::string scratch_directory_;
  size_t capacity_entries_;
  std::unique_ptr<CarIndexEntry[]> entries_;
  size_t entry_count_ = 0;  // in memory
  io::File runs_file_;
  std::vector<Run> runs_;
  uint64_t spilled_bytes_ = 0;
};

}  // namespace piecework::engine
