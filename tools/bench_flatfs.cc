// Blocks, their names and the three small files that make a directory a repository. Source: formats.md 2, 3 and 10.
#include "tools/bench_flatfs.h"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "engine/codec/cid.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/multibase.h"
#include "engine/codec/unixfs.h"
#include "io/flatfs.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"
#include "tools/measure.h"

namespace piecework::tools {
namespace {

constexpr uint64_t kChunkBytes = 256 * kKiB;
constexpr uint64_t kChunksPerFile = 16;
constexpr uint64_t kFirstSeed = 1000000;
constexpr std::string_view kDatastoreSpec =
    R"({{"mounts":[{{"mountpoint":"/blocks","path":"blocks","shardFunc":"{}","type":"flatfs"}},)"
    R"({{"mountpoint":"/","path":"datastore","type":"levelds"}}],"type":"mount"}})";

Status write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path);
  if (file << text && file.flush()) return {};
  return fail(ErrorCode::kNoSpace, ErrorSide::kDestination, path.native() + ": cannot be written");
}

using Block = std::vector<uint8_t>;

Block leaf_block(uint64_t seed) {
  const size_t data_bytes = engine::unixfs_leaf_bytes(kChunkBytes);
  Block block(engine::pb_data_bytes(data_bytes));
  uint8_t* target = engine::encode_pb_data_header(block.data(), data_bytes);
  target = engine::encode_unixfs_leaf_prefix(target, kChunkBytes);
  fill_random({target, kChunkBytes}, seed);
  engine::encode_unixfs_leaf_suffix(target + kChunkBytes, kChunkBytes);
  return block;
}

// The node above leaves of `leaf_bytes` each.
Block file_block(const std::vector<engine::Cid>& leaves, uint64_t leaf_bytes) {
  const uint64_t file_bytes = leaves.size() * kChunkBytes;
  const size_t data_bytes =
      engine::unixfs_file_head_bytes(file_bytes) + leaves.size() * engine::unixfs_block_size_bytes(kChunkBytes);
  const size_t link_bytes = engine::pb_link_bytes(engine::kCidV0Bytes, 0, leaf_bytes);
  Block block(leaves.size() * link_bytes + engine::pb_data_bytes(data_bytes));
  uint8_t* target = block.data();
  for (const engine::Cid& leaf : leaves) target = engine::encode_pb_link(target, leaf.bytes(), "", "", leaf_bytes);
  target = engine::encode_pb_data_header(target, data_bytes);
  target = engine::encode_unixfs_file_head(target, file_bytes);
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) target = engine::encode_unixfs_block_size(target, kChunkBytes);
  return block;
}

// Writes the block where flatfs looks for it; its CID.
Result<engine::Cid> write_block(DiskCorpus& corpus, const std::filesystem::path& blocks, ByteSpan block) {
  engine::Cid cid = engine::sha256_cid(0, engine::kCodecDagPb, kernels::sha256(block));
  const std::string key = engine::encode_base32_upper(cid.bytes());  // a CIDv0 is its multihash
  const std::filesystem::path shard = blocks / io::FlatfsSharding().shard_of(key);
  std::error_code failed;
  std::filesystem::create_directories(shard, failed);
  if (failed) return fail_errno(failed.value(), ErrorSide::kDestination, shard.native());
  PIECEWORK_TRY(write_corpus_file(corpus, shard / (key + ".data"), block));
  return cid;
}

}  // namespace

Result<DiskCorpus> make_flatfs_corpus(const std::filesystem::path& directory, bool smoke) {
  const std::filesystem::path roots = directory / "roots";
  DiskCorpus corpus{.source = directory / "flatfs", .pack_options = {"--roots", roots.native()}};
  const std::filesystem::path blocks = corpus.source / "blocks";
  std::error_code failed;
  std::filesystem::create_directories(blocks, failed);
  if (failed) return fail_errno(failed.value(), ErrorSide::kDestination, blocks.native());
  const std::string sharding = io::FlatfsSharding().text();
  PIECEWORK_TRY(write_text(corpus.source / "version", "18\n"));
  PIECEWORK_TRY(write_text(corpus.source / "datastore_spec", fmt::format(fmt::runtime(kDatastoreSpec), sharding)));
  PIECEWORK_TRY(write_text(blocks / "SHARDING", sharding + "\n"));
  std::string root_list;
  const uint64_t file_count = smoke ? 2 : 128;
  for (uint64_t file = 0; file < file_count; ++file) {
    std::vector<engine::Cid> leaves;
    uint64_t leaf_bytes = 0;
    for (uint64_t chunk = 0; chunk < kChunksPerFile; ++chunk) {
      const Block leaf = leaf_block(kFirstSeed + file * kChunksPerFile + chunk);
      leaf_bytes = leaf.size();
      PIECEWORK_ASSIGN(engine::Cid cid, write_block(corpus, blocks, leaf));
      leaves.push_back(std::move(cid));
    }
    PIECEWORK_ASSIGN(const engine::Cid root, write_block(corpus, blocks, file_block(leaves, leaf_bytes)));
    root_list += root.text() + "\n";
  }
  PIECEWORK_TRY(write_text(roots, root_list));
  return corpus;
}

}  // namespace piecework::tools
