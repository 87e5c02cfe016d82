// Checkpoints: a log of any bytes is rejected or read as far as its chain holds; a state of any bytes, as if its
// checksum were right, is rejected or taken in whole, and then saves as what it was.
#include <algorithm>
#include <vector>

#include "engine/piece/dag_filler.h"
#include "engine/piece/segment_assembler.h"
#include "engine/record/checkpoint_log.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr uint32_t kClassCount = 100;
constexpr uint64_t kCarBytes = 5'000'000;

class NoFiles : public PackedFileSink {
 public:
  Status add(const PackedFile& /*file*/) override { return {}; }
  Result<uint64_t> flush() override { return uint64_t{0}; }
};

CheckpointSource source_of(ByteSpan log) {
  return [log](MutableByteSpan target, uint64_t offset_bytes) -> Result<size_t> {
    const ByteSpan rest = log.subspan(std::min<uint64_t>(log.size(), offset_bytes));
    const size_t count = std::min(target.size(), rest.size());
    std::copy_n(rest.begin(), count, target.begin());
    return count;
  };
}

void check_log(ByteSpan log) {
  const auto summary = scan_checkpoint(source_of(log), log.size());
  if (!summary || !*summary || !(*summary)->last) return;
  ClassStore classes = std::move(*ClassStore::create(kClassCount, "."));
  const auto point = load_checkpoint(source_of(log), *(*summary)->last, classes);
  PIECEWORK_CHECK(!point || point->state.size() <= log.size());
}

// The same bytes as records of a log whose checksums are right: kind, length, payload each.
void check_records(ByteSpan bytes) {
  CheckpointEncoder encoder;
  encoder.add_header({});
  while (bytes.size() >= 2) {
    const size_t payload_bytes = std::min<size_t>(bytes[1], bytes.size() - 2);
    encoder.add(static_cast<CheckpointRecordKind>(bytes[0] % 8), bytes.subspan(2, payload_bytes));
    bytes = bytes.subspan(2 + payload_bytes);
  }
  check_log(encoder.bytes());
}

template <class Stage>
void check_saved(const Stage& stage, ByteSpan bytes) {
  std::vector<uint8_t> saved;
  StateWriter writer(saved);
  stage.save(writer);
  PIECEWORK_CHECK(saved.size() <= bytes.size());
}

void check_state(ByteSpan bytes) {
  NoFiles files;
  const Profile profile;
  DagFiller filler(profile, std::move(*ClassStore::create(kClassCount, ".")), files);
  StateReader walk(bytes);
  if (filler.restore(walk, kCarBytes)) check_saved(filler, bytes);
  SegmentAssembler assembler(kCarBytes);
  StateReader waiting(bytes);
  if (assembler.restore(waiting, {})) check_saved(assembler, bytes);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  const piecework::ByteSpan bytes{data, data_bytes};
  piecework::engine::check_log(bytes);
  piecework::engine::check_records(bytes);
  piecework::engine::check_state(bytes);
  return 0;
}
