#include "engine/piece/digest_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/codec/car_block.h"
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

bool is_stored(const SectionEvent& event) { return event.kind == Kind::kBlock || event.kind == Kind::kBlockEnter; }

bool is_leaf(const SectionEvent& event) { return event.kind == Kind::kLeaf || event.kind == Kind::kSymlink; }

MutableByteSpan section_of(const Run& run, const SectionEvent& event) {
  return run.bytes().subspan(event.offset_bytes - run.begin_bytes, event.header_bytes + event.block_bytes);
}

Status check_stored(const Run& run, const SectionEvent& event, ByteSpan block) {
  PIECEWORK_ASSIGN(const CidView cid, decode_cid(as_bytes(run.target(event))));
  if (!cid.is_sha256()) {
    PIECEWORK_TRY(check_block_digest(cid, block));
  } else if (const Digest32& digest = run.digests[event.digest_index];
             !std::equal(digest.begin(), digest.end(), cid.multihash.digest.begin())) {
    return tl::unexpected<Error>(digest_mismatch(cid, digest));
  }
  if (!event.is_unread || cid.codec == kCodecRaw) return {};
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(block));
  if (node.link_count == 0) return {};
  return fail(
      ErrorCode::kCorrupt, ErrorSide::kSource,
      fmt::format("block {}: it has the length of a leaf and {} links; a file that is built so cannot be packed",
                  cid_text(cid.bytes), node.link_count));
}

// Everything that is hashed with sha2-256, many at a time.
void hash_blocks(Run& run, const Profile& profile) {
  std::vector<kernels::HashJob> jobs;
  jobs.reserve(run.digest_count);
  for (const SectionEvent& event : run.events) {
    if (!is_leaf(event) && !is_stored(event)) continue;
    uint8_t* block = section_of(run, event).data() + event.header_bytes;
    if (event.is_inline) {
      const std::string_view cid = run.target(event);  // ends with the data
      std::memcpy(block, cid.data() + (cid.size() - event.block_bytes), event.block_bytes);
    } else if (event.kind == Kind::kSymlink) {
      write_symlink(block, run.target(event));
    } else if (event.kind == Kind::kLeaf && !profile.raw_leaves) {
      wrap_leaf(block, event.file_bytes);
    }
    jobs.push_back({block, event.block_bytes, run.digests[event.digest_index].data()});
  }
  kernels::hash_many(jobs);
}

void write_leaf_header(const Run& run, const SectionEvent& event, const Profile& profile) {
  const bool is_raw = event.kind == Kind::kLeaf && profile.raw_leaves;
  const int cid_version = is_raw ? 1 : profile.cid_version;
  uint8_t* cid = encode_varint(section_of(run, event).data(), sha256_cid_bytes(cid_version) + event.block_bytes);
  encode_sha256_cid(cid, cid_version, is_raw ? kCodecRaw : kCodecDagPb, run.digests[event.digest_index]);
}

}  // namespace

Status digest_run(Run& run, const Profile& profile, size_t& failed_event) {
  run.digests.resize(run.digest_count);
  hash_blocks(run, profile);
  for (size_t i = 0; i < run.events.size(); ++i) {
    const SectionEvent& event = run.events[i];
    if (is_leaf(event)) {
      write_leaf_header(run, event, profile);
    } else if (is_stored(event)) {
      const MutableByteSpan section = section_of(run, event);
      const std::string_view cid = run.target(event);
      std::copy(cid.begin(), cid.end(), encode_varint(section.data(), cid.size() + event.block_bytes));
      failed_event = i;
      PIECEWORK_TRY(check_stored(run, event, section.subspan(event.header_bytes)));
    }
  }
  return {};
}

}  // namespace piecework::engine
