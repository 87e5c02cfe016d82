// Random DAGs: the walk over a store visits what a plain walk over the DAG's description visits, in the order of `ipfs
// dag export`; and so it does over the CAR made of what was visited.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/dag_pb.h"
#include "engine/store/car_store.h"
#include "engine/store/dag_walk.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"
#include "tests/fuzz/memory_file.h"

namespace piecework::engine {
namespace {

constexpr size_t kBlocksMax = 16;

struct Block {
  std::string cid;
  std::vector<uint8_t> data;
  std::vector<size_t> children;  // places in the list of blocks
};

std::string cid_of(uint64_t codec, ByteSpan data) {
  kernels::Sha256 hasher;
  hasher.append(data);
  const Digest32 digest = hasher.finish();
  std::string cid{'\x01', static_cast<char>(codec), '\x12', '\x20'};
  return cid.append(as_text(digest));
}

// Each byte below 0x80 makes a leaf of so many bytes, any other a node that links to some of the blocks before it. The
// last block is the root.
std::vector<Block> build(ByteSpan recipe) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < recipe.size() && blocks.size() < kBlocksMax; ++i) {
    Block block;
    const bool is_leaf = recipe[i] < 0x80 || blocks.empty();
    if (is_leaf) {
      block.data.assign(recipe[i] % 0x40, static_cast<uint8_t>(i));
    } else {
      const size_t link_count = recipe[i] & 0x07;
      for (size_t link = 0; link < link_count && i + 1 < recipe.size(); ++link) {
        const size_t child = recipe[++i] % blocks.size();
        block.children.push_back(child);
        const ByteSpan cid = as_bytes(blocks[child].cid);
        const size_t begin = block.data.size();
        block.data.resize(begin + pb_link_bytes(cid.size(), 1, recipe[i]));
        encode_pb_link(block.data.data() + begin, cid, {}, "x", recipe[i]);
      }
    }
    block.cid = cid_of(is_leaf ? kCodecRaw : kCodecDagPb, block.data);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

// Depth first, links in stored order, every CID once.
std::vector<std::string> expected_order(const std::vector<Block>& blocks) {
  std::vector<std::string> order;
  std::set<std::string> seen;
  std::vector<size_t> stack{blocks.size() - 1};
  while (!stack.empty()) {
    const Block& block = blocks[stack.back()];
    stack.pop_back();
    if (!seen.insert(block.cid).second) continue;
    order.push_back(block.cid);
    stack.insert(stack.end(), block.children.rbegin(), block.children.rend());
  }
  return order;
}

class MemoryStore : public BlockStore {
 public:
  explicit MemoryStore(const std::vector<Block>& blocks) {
    for (const Block& block : blocks) data_[block.cid] = block.data;
  }
  Result<std::optional<BlockPlace>> find(const CidView& cid) override {
    const auto found = data_.find(std::string(as_text(cid.bytes)));
    if (found == data_.end()) return std::nullopt;
    return BlockPlace{.length_bytes = found->second.size()};
  }
  Status read(const CidView& cid, const BlockPlace&, std::vector<uint8_t>& target) override {
    target = data_.at(std::string(as_text(cid.bytes)));
    return {};
  }
  Status read_begin(const CidView&, const BlockPlace&, MutableByteSpan) override { return {}; }
  Status visit_blocks(const BlockVisitor&) override { return {}; }
  bool knows_codecs() const override { return true; }
  std::string describe(const CidView&, const BlockPlace&) const override { return "memory"; }
  Error missing(const CidView&) const override { return {}; }

 private:
  std::map<std::string, std::vector<uint8_t>> data_;
};

class Recorder : public DagVisitor {
 public:
  bool is_known(const CidView& cid) override { return seen_.contains(std::string(as_text(cid.bytes))); }
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool) override {
    seen_.insert(order.emplace_back(as_text(block.cid.bytes)));
    return true;
  }
  std::vector<std::string> order;

 private:
  std::set<std::string> seen_;
};

std::vector<std::string> walked_order(BlockStore& store, const std::string& root) {
  Recorder recorder;
  // Few bytes: nodes are dropped and read again.
  const Status walked = walk_stored_dag(store, Cid(decode_cid(as_bytes(root)).value()), {},
                                        {.resident_bytes_max = 256}, recorder);
  PIECEWORK_CHECK(walked.has_value());
  return recorder.order;
}

void append_counted(std::string& car, std::string_view first, std::string_view second = {}) {
  uint8_t length[kVarintBytesMax];
  const uint8_t* const end = encode_varint(length, first.size() + second.size());
  car.append(reinterpret_cast<const char*>(length), static_cast<size_t>(end - length));
  car.append(first).append(second);
}

std::string make_car(const std::vector<Block>& blocks, const std::vector<std::string>& order) {
  std::map<std::string, const Block*> by_cid;
  for (const Block& block : blocks) by_cid[block.cid] = &block;
  std::string header("\xa2\x65roots\x81\xd8\x2a\x58\x25\x00", 13);
  header.append(order.front()).append("\x67version\x01");
  std::string car;
  append_counted(car, header);
  for (const std::string& cid : order) append_counted(car, cid, as_text(by_cid.at(cid)->data));
  return car;
}

void check(ByteSpan recipe) {
  const std::vector<Block> blocks = build(recipe);
  if (blocks.empty()) return;
  const std::vector<std::string> expected = expected_order(blocks);
  MemoryStore memory(blocks);
  PIECEWORK_CHECK(walked_order(memory, blocks.back().cid) == expected);

  std::vector<CarInput> inputs;
  inputs.push_back({"fuzz.car", memory_file(as_bytes(make_car(blocks, expected)), "fuzz.car")});
  const auto cars =
      CarStore::open(std::move(inputs), {.scratch_directory = "/dev/shm", .index_memory_bytes = 16 * kKiB});
  PIECEWORK_CHECK(cars.has_value());
  PIECEWORK_CHECK((*cars)->roots().size() == 1);
  PIECEWORK_CHECK(walked_order(**cars, blocks.back().cid) == expected);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  piecework::engine::check({data, data_bytes});
  return 0;
}
