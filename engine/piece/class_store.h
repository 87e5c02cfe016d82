// Digests and places of nodes that later references need: one fixed-size entry a class.
//
// In memory up to a bound; a batch with more classes keeps them in an unlinked temporary file, so memory does not grow
// with the number of duplicates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct ClassEntry {
  Digest32 digest{};
  uint64_t begin_bytes = 0;          // of the node's section in the CAR
  uint64_t end_bytes = 0;            // of the sections written below it; 0: it stands in another CAR
  uint32_t is_raw = 0;               // codec raw, else dag-pb
  uint32_t has_parts_elsewhere = 0;  // some nodes below are references themselves
};
static_assert(sizeof(ClassEntry) == 56);

// Thread-compatible.
class ClassStore {
 public:
  static constexpr uint32_t kEntriesInMemoryMax = 512 * 1024;

  // Room for classes 1..class_count. `scratch_directory` is used where they do not fit in memory. Errors: the
  // destination's.
  static Result<ClassStore> create(uint32_t class_count, const std::string& scratch_directory);

  uint32_t class_count() const { return class_count_; }
  // REQUIRES: 1 <= class_index <= class_count(), here and below.
  Status put(uint32_t class_index, const ClassEntry& entry);
  // REQUIRES: put() before.
  Result<ClassEntry> get(uint32_t class_index) const;

 private:
  uint32_t class_count_ = 0;
  std::vector<ClassEntry> entries_;  // class i at i - 1; empty where the file is used
  io::File spill_;
};

}  // namespace piecework::engine
