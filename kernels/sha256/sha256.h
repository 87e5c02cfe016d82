// SHA-256 (FIPS 180-4) in the three shapes that Piecework needs: pairs of tree nodes, many blocks at once, one stream.
//
// Every function chooses its variant at run time (kernels/variant.h); sha256_scalar.cc is the specification that every
// other variant equals. No allocation, no errors, no threads: any of these may run on any number of threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/base/bytes.h"

namespace piecework::kernels {

// Hashes `node_count` adjacent 64-byte node pairs at `source` into 32-byte nodes at `target`, with bits 254 and 255 of each
// clear (Filecoin's trunc254: formats.md 8).
//
// REQUIRES: `source` holds 64 * node_count bytes, `target` 32 * node_count; no alignment. The ranges are disjoint, or
// target == source (the layer above overwrites the front of the layer below).
void hash_nodes(uint8_t* target, const uint8_t* source, size_t node_count) noexcept;

// One message of hash_many. `digest` receives 32 bytes.
struct HashJob {
  const uint8_t* data = nullptr;
  size_t data_bytes = 0;
  uint8_t* digest = nullptr;
};

// SHA-256 of every job, several at a time; a lane that finishes takes the next job at once, so lengths may differ freely.
// Jobs start in the order given.
void hash_many(std::span<const HashJob> jobs) noexcept;

// SHA-256 of one message.
Digest32 sha256(ByteSpan data) noexcept;

// SHA-256 of one message that arrives in parts. Copyable: a copy goes on from the same state. Thread-compatible.
class Sha256 {
 public:
  Sha256() noexcept;
  void append(ByteSpan data) noexcept;
  // The digest of what was appended so far; the object may go on afterwards.
  [[nodiscard]] Digest32 finish() const noexcept;

 private:
  uint32_t state_[8];
  uint64_t total_bytes_ = 0;
  uint8_t pending_[64];
};

}  // namespace piecework::kernels
