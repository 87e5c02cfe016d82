// Lengths of nodes and sections from lengths alone: what lets a layout be made before any data is read. The bytes of
// the same nodes are written by engine/codec. Source: formats.md 2, 3, 6, 7.
#pragma once

#include <cstdint>

#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"

namespace piecework::engine {

// Data fields of dag-pb nodes, tag and length included.
constexpr uint64_t directory_data_bytes() { return pb_data_bytes(kUnixfsDirectoryBytes); }
constexpr uint64_t symlink_data_bytes(uint64_t target_bytes) {
  return pb_data_bytes(unixfs_symlink_bytes(target_bytes));
}
constexpr uint64_t shard_data_bytes(uint32_t bucket_max) {
  return pb_data_bytes(unixfs_hamt_bytes(hamt_bitfield_bytes(static_cast<uint8_t>(bucket_max))));
}
constexpr uint64_t leaf_data_bytes(uint64_t file_bytes) { return pb_data_bytes(unixfs_leaf_bytes(file_bytes)); }

// What stands before the block in a CAR section, and the whole section.
constexpr uint32_t section_header_bytes(uint32_t cid_bytes, uint64_t block_bytes) {
  return static_cast<uint32_t>(varint_bytes(cid_bytes + block_bytes)) + cid_bytes;
}
constexpr uint64_t section_bytes(uint32_t cid_bytes, uint64_t block_bytes) {
  return section_header_bytes(cid_bytes, block_bytes) + block_bytes;
}

}  // namespace piecework::engine
