// A block as proofs see it: what of it is content, and where it leads. Source: formats.md 2, 3, 6.
//
// The rules that a block has to keep by itself are those of verify (codec/dag_pb.h, codec/unixfs.h) and few more, which
// no encoder breaks (engine/FORMATS.md, "Proofs").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/unixfs.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class ProofNodeKind : uint8_t {
  kFile,       // raw, or a UnixFS File or Raw: a whole file or a part of one
  kDirectory,  // UnixFS
  kHamtShard,
  kSymlink,
  kOther,  // whatever else: the block itself is the content, and its links are not followed
};

struct ProofChild {
  CidView cid;
  std::string_view name;       // as stored: a HAMT's with its prefix
  uint64_t content_bytes = 0;  // of a file's child
};

// Points into the block.
struct ProofNode {
  ProofNodeKind kind = ProofNodeKind::kOther;
  uint64_t content_offset_bytes = 0;  // in the block: kFile and kOther; a symlink's target
  uint64_t content_bytes = 0;         // in this block
  uint64_t total_bytes = 0;           // with all below it: kFile and kOther
  std::vector<ProofChild> children;
  HamtShape shape;  // kHamtShard
};

// `block` is that of `cid`. Errors: kCorrupt, also for a directory, or a shard of one, with a name twice.
Result<ProofNode> read_proof_node(const CidView& cid, ByteSpan block);
// A raw block, of which nothing but its length counts.
ProofNode raw_proof_node(uint64_t block_bytes);

// The child that the entry `name` of a directory is, or leads to: `is_shard` where it is a further shard of the same
// directory, at `level` + 1. None where there is no such entry. Errors: kCorrupt for a shard that is too deep.
struct ProofEntry {
  CidView cid;
  size_t link = 0;  // its place among the children
  bool is_shard = false;
};
Result<std::optional<ProofEntry>> find_entry(const ProofNode& directory, std::string_view name, unsigned level);

}  // namespace piecework::engine
