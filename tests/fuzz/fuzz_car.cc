// CARs: the framing is the same for every size of buffer and reads, the bytes come out as they went in, and `verify`
// gives the same verdict twice, whatever the file holds.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/restore/verify.h"
#include "io/car_reader.h"
#include "kernels/base/check.h"

namespace piecework {
namespace {

struct Framing {
  bool is_valid = false;
  std::vector<uint64_t> offsets_bytes;
  std::string sections;  // one after the other
  std::string fresh;

  bool operator==(const Framing&) const = default;
};

Framing frame(ByteSpan car, size_t step_bytes, const io::CarReadOptions& options) {
  Framing framing;
  io::ReadFunction slow = [read = io::read_memory(car), step_bytes](MutableByteSpan target) mutable {
    return read(target.first(std::min(target.size(), step_bytes)));
  };
  Result<io::CarReader> reader = io::CarReader::open(std::move(slow), "fuzz.car", options);
  if (!reader) return framing;
  for (;;) {
    const Result<io::CarBatch> batch = reader->next_batch();
    if (!batch) {
      framing.fresh.clear();  // how much was seen before the fault depends on the buffer
      return framing;
    }
    framing.fresh += as_text(batch->fresh_bytes);
    for (const io::CarSection& section : batch->sections) {
      framing.offsets_bytes.push_back(section.offset_bytes);
      framing.sections += as_text(section.bytes);
    }
    if (!batch->at_end) continue;
    framing.is_valid = true;
    PIECEWORK_CHECK(framing.fresh == as_text(car));
    return framing;
  }
}

// A file in memory, for code that wants a path.
class MemoryFile {
 public:
  explicit MemoryFile(ByteSpan bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    PIECEWORK_CHECK(descriptor_ >= 0);
    PIECEWORK_CHECK(write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

uint64_t count_problems(const std::string& path) {
  engine::VerifyReport report;
  const Result<engine::CarFacts> facts = engine::verify_car(path, {}, report);
  PIECEWORK_CHECK(facts.has_value());
  PIECEWORK_CHECK(facts->duplicate_count + facts->unreachable_count <= facts->block_count);
  return report.problems.count();
}

}  // namespace
}  // namespace piecework

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const ByteSpan car(data, data_bytes);
  for (const bool zero_tail : {false, true}) {
    const Framing whole = frame(car, data_bytes + 1, {.zero_tail = zero_tail});
    PIECEWORK_CHECK(frame(car, 7, {.zero_tail = zero_tail, .batch_bytes = 16}) == whole);
  }
  const MemoryFile file(car);
  const uint64_t problem_count = count_problems(file.path());
  PIECEWORK_CHECK(count_problems(file.path()) == problem_count);
  return 0;
}
