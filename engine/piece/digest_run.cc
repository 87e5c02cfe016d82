#include "engine/piece/digest_run.h"

#include "engine/codec/cid.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

using Kind = SectionEvent::Kind;

// What surrounds a dag-pb leaf's content, which already stands in its place.
void wrap_leaf(uint8_t* block, uint64_t content_bytes) {
  uint8_t* at = encode_pb_data_header(block, unixfs_leaf_bytes(content_bytes));
  at = encode_unixfs_leaf_prefix(at, content_bytes);
  encode_unixfs_leaf_suffix(at + content_bytes, content_bytes);
}

void write_symlink(uint8_t* block, std::string_view target) {
  uint8_t* at = encode_pb_data_header(block, unixfs_symlink_bytes(target.size()));
  encode_unixfs_symlink(at, target);
}

}  // namespace

void digest_run(Run& run, const Profile& profile) {
  const MutableByteSpan bytes = run.bytes();
  run.digests.resize(run.digest_count);
  std::vector<kernels::HashJob> jobs;
  jobs.reserve(run.digest_count);
  for (const SectionEvent& event : run.events) {
    if (event.kind != Kind::kLeaf && event.kind != Kind::kSymlink) continue;
    uint8_t* section = bytes.data() + (event.offset_bytes - run.begin_bytes);
    uint8_t* block = section + event.header_bytes;
    if (event.kind == Kind::kSymlink) {
      write_symlink(block, run.text(event.name_position + event.name_bytes, event.target_bytes));
    } else if (!profile.raw_leaves) {
      wrap_leaf(block, event.file_bytes);
    }
    jobs.push_back({block, event.block_bytes, run.digests[event.digest_index].data()});
  }
  kernels::hash_many(jobs);
  for (const SectionEvent& event : run.events) {
    if (event.kind != Kind::kLeaf && event.kind != Kind::kSymlink) continue;
    const bool is_raw = event.kind == Kind::kLeaf && profile.raw_leaves;
    const int cid_version = is_raw ? 1 : profile.cid_version;
    uint8_t* section = bytes.data() + (event.offset_bytes - run.begin_bytes);
    uint8_t* cid = encode_varint(section, sha256_cid_bytes(cid_version) + event.block_bytes);
    encode_sha256_cid(cid, cid_version, is_raw ? kCodecRaw : kCodecDagPb, run.digests[event.digest_index]);
  }
}

}  // namespace piecework::engine
