#include "engine/piece/class_store.h"

#include <cstring>

#include "io/scratch_file.h"
#include "kernels/base/check.h"

namespace piecework::engine {

Result<ClassStore> ClassStore::create(uint32_t class_count, const std::string& scratch_directory) {
  ClassStore store;
  store.class_count_ = class_count;
  if (class_count <= kEntriesInMemoryMax) {
    store.entries_.resize(class_count);
    return store;
  }
  PIECEWORK_ASSIGN(store.spill_, io::make_scratch_file(scratch_directory));
  return store;
}

Status ClassStore::put(uint32_t class_index, const ClassEntry& entry) {
  PIECEWORK_CHECK(class_index > 0 && class_index <= class_count_);
  if (!spill_.is_open()) {
    entries_[class_index - 1] = entry;
    return {};
  }
  return spill_.write_full({reinterpret_cast<const uint8_t*>(&entry), sizeof entry},
                           uint64_t{class_index - 1} * sizeof entry);
}

Result<ClassEntry> ClassStore::get(uint32_t class_index) const {
  PIECEWORK_CHECK(class_index > 0 && class_index <= class_count_);
  if (!spill_.is_open()) return entries_[class_index - 1];
  uint8_t bytes[sizeof(ClassEntry)];
  PIECEWORK_ASSIGN(const size_t done, spill_.read_full(bytes, uint64_t{class_index - 1} * sizeof bytes));
  PIECEWORK_CHECK(done == sizeof bytes);
  ClassEntry entry;
  std::memcpy(&entry, bytes, sizeof entry);
  return entry;
}

}  // namespace piecework::engine
