// CARs as a store: whatever the file holds, the scan by heads accepts what a reader of every byte accepts, and every
// CID that this reader sees is found at its first place, with an index in memory and with a spilled one.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/store/car_store.h"
#include "io/car_reader.h"
#include "kernels/base/check.h"
#include "tests/fuzz/memory_file.h"

namespace piecework {
namespace {

struct Block {
  uint64_t offset_bytes = 0;
  std::string data;
};

struct Contents {
  size_t root_count = 0;                // repeats included
  std::map<std::string, Block> blocks;  // the first of each CID
  uint64_t repeat_count = 0;
};

// False where the section is not one that a store accepts.
bool take_section(const io::CarSection& section, uint64_t content_offset_bytes, Contents& contents) {
  const Result<engine::CarBlock> block = engine::decode_car_block(section.bytes);
  if (!block || block->data.size() > io::kCarBlockBytesMax) return false;
  const Status digest = engine::check_block_digest(block->cid, block->data);
  if (block->cid.is_identity()) return digest.has_value();
  if (!digest && digest.error().code == ErrorCode::kUnsupported) return false;
  const std::string data(as_text(block->data));
  const auto [place, is_new] = contents.blocks.try_emplace(std::string(as_text(block->cid.bytes)),
                                                           Block{content_offset_bytes + block->cid.bytes.size(), data});
  if (!is_new) ++contents.repeat_count;
  return place->second.data == data;
}

// Everything the CAR holds, or none where a store must refuse it.
std::optional<Contents> read_slowly(ByteSpan car) {
  Result<io::CarReader> reader = io::CarReader::open(io::read_memory(car), "slow.car", {});
  if (!reader) return std::nullopt;
  const Result<engine::CarHeader> header = engine::decode_car_v1_header(reader->header());
  if (!header) return std::nullopt;
  Contents contents;
  contents.root_count = header->roots.size();
  for (;;) {
    const Result<io::CarBatch> batch = reader->next_batch();
    if (!batch) return std::nullopt;
    for (const io::CarSection& section : batch->sections) {
      const uint64_t content_offset_bytes = section.offset_bytes + varint_bytes(section.bytes.size());
      if (!take_section(section, content_offset_bytes, contents)) return std::nullopt;
    }
    if (batch->at_end) return contents;
  }
}

void check_store(ByteSpan car, const std::optional<Contents>& expected, uint64_t index_memory_bytes) {
  std::vector<engine::CarInput> inputs;
  inputs.push_back({"fuzz.car", memory_file(car, "fuzz.car")});
  const Result<std::unique_ptr<engine::CarStore>> store = engine::CarStore::open(
      std::move(inputs), {.scratch_directory = "/dev/shm", .index_memory_bytes = index_memory_bytes});
  PIECEWORK_CHECK(store.has_value() == expected.has_value());
  if (!store) return;
  engine::CarStore& opened = **store;
  PIECEWORK_CHECK(opened.block_count() == expected->blocks.size());
  PIECEWORK_CHECK(opened.repeat_count() == expected->repeat_count);
  PIECEWORK_CHECK(opened.roots().size() <= expected->root_count);
  PIECEWORK_CHECK(opened.require_roots().has_value() == (expected->root_count > 0));
  std::vector<uint8_t> data;
  for (const auto& [cid_bytes, block] : expected->blocks) {
    const engine::CidView cid = engine::decode_cid(as_bytes(cid_bytes)).value();
    const std::optional<engine::BlockPlace> place = opened.find(cid).value();
    PIECEWORK_CHECK(place && place->offset_bytes == block.offset_bytes);
    PIECEWORK_CHECK(opened.read(cid, *place, data).has_value());
    PIECEWORK_CHECK(as_text(data) == block.data);
  }
}

}  // namespace
}  // namespace piecework

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const ByteSpan car(data, data_bytes);
  const std::optional<Contents> expected = read_slowly(car);
  for (const uint64_t index_memory_bytes : {uint64_t{1}, 16 * kKiB}) check_store(car, expected, index_memory_bytes);
  return 0;
}
