// Memory for arrays that may outgrow it: real memory up to a budget, then pages of an unlinked file, mapped.
//
// What is mapped looks like memory to whoever uses it; the kernel writes it out and takes it back when memory is short,
// and it counts as page cache. So arrays that are walked in order may be many times larger than the budget. Disk space
// is reserved before a page is mapped: a full disk is an error here and never a signal later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/file.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// Thread-compatible; memory that it gave may be used from several threads. Outlives what it gave.
class PageSource {
 public:
  static constexpr size_t kPageBytes = kMiB;

  // Gives memory only, without a bound.
  PageSource() = default;
  // Gives `memory_bytes` of memory, then maps a file without a name in `scratch_directory`, made when it is needed.
  // About half of `memory_bytes` more is resident of that file; see rest().
  PageSource(std::string scratch_directory, uint64_t memory_bytes);
  ~PageSource();
  PageSource(const PageSource&) = delete;
  PageSource& operator=(const PageSource&) = delete;

  // How memory is looked at, should it lie in the file.
  enum class Access : uint8_t {
    kInOrder,    // mostly: the kernel reads ahead
    kScattered,  // nothing is read but what is touched, or announced by will_need()
  };

  // Frees or unmaps, and gives the disk space back.
  struct Release {
    void operator()(char* data) const;

    PageSource* source = nullptr;  // null where the memory counts towards no budget
    size_t size_bytes = 0;
    int64_t file_offset_bytes = -1;  // none
    Access access = Access::kInOrder;
  };
  using Memory = std::unique_ptr<char[], Release>;

  // `size_bytes` of memory with no particular contents, for any type of usual alignment. Less than a page is never
  // counted or spilled: whoever takes that little has few of them at a time. Does not fail: where the scratch file
  // does, real memory stands in, and status() says why; long work asks it from time to time.
  Memory take(size_t size_bytes, Access access);
  // The same from `source`, or just memory where it is null.
  static Memory take_from(PageSource* source, size_t size_bytes, Access access);

  // The first failure of the scratch file: the destination's, kNoSpace where it is full.
  const Status& status() const { return status_; }
  uint64_t spilled_bytes() const { return spilled_bytes_; }  // given from the file, and not back yet

  // To be called on long walks over what was given: `touched_bytes` of it since the last call. When that comes to as
  // much as may be resident, what lies in the file is given to the page cache; it comes back when it is touched.
  void rest(uint64_t touched_bytes);
  // These bytes of `memory` are read next: in one go, should they lie in the file.
  static void will_need(const Memory& memory, size_t begin_bytes, size_t size_bytes);

 private:
  Result<Memory> take_from_file(size_t size_bytes, Access access);
  void give_back(const Release& memory, char* data);

  std::string scratch_directory_;
  uint64_t memory_bytes_max_ = UINT64_MAX;
  uint64_t memory_bytes_ = 0;  // given, and not back yet
  io::File file_;
  uint64_t file_bytes_ = 0;
  std::map<char*, size_t> mapped_;  // of the file, with their sizes
  std::vector<std::pair<char*, int64_t>> spare_;  // mapped, in use by nobody; with their places in the file
  uint64_t spilled_bytes_ = 0;
  uint64_t touched_bytes_ = 0;  // since the last rest
  Status status_;
};

}  // namespace piecework::engine
