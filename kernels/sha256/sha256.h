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

// Hashes `node_count` adjacent 64-byte node pairs at `source` into 32-byte nodes at `target`, with bits 254 and 255 of
// each clear (Filecoin's trunc254: formats.md 8).
//
// REQUIRES: `source` holds 64 * node_count bytes, `target` 32 * node_count; no alignment. The ranges are disjoint, or
// target == source (the layer above overwrites the front of the layer below).
void hash_nodes(uint8_t* target, const uint8_t* source, size_t node_count) noexcept;

// SHA-256 of one message.
Digest32 sha256(ByteSpan data) noexcept;

// Everything there is to know about a message in progress: what a checkpoint stores, field by field.
struct Sha256State {
  uint32_t words[8];         // the chaining value after all whole blocks
  uint64_t total_bytes = 0;  // of the message so far
  uint8_t pending[64] = {};  // its last total_bytes % 64 bytes; the rest means nothing
};

// SHA-256 of one message that arrives in parts. Copyable: a copy goes on from the same state. Thread-compatible.
class Sha256 {
 public:
  Sha256() noexcept;
  // Goes on where `state` was taken.
  explicit Sha256(const Sha256State& state) noexcept : state_(state) {}

  void append(ByteSpan data) noexcept;
  // The digest of what was appended so far; the object may go on afterwards.
  [[nodiscard]] Digest32 finish() const noexcept;
  [[nodiscard]] const Sha256State& state() const noexcept { return state_; }

 private:
  Sha256State state_;
};

// One message of hash_many. The pointers belong to the caller and are used until hash_many returns.
struct HashJob {
  const uint8_t* data = nullptr;
  size_t data_bytes = 0;
  uint8_t* digest = nullptr;  // receives 32 bytes; may be null only where `stream` is set
  // Null for a whole message. Else `data` is the next part of this message: it is appended to *stream, and `digest`,
  // where set, receives stream->finish(). REQUIRES: no two jobs of one call share a stream.
  Sha256* stream = nullptr;
};

// SHA-256 of every job, several at a time; a lane that finishes takes the next job at once, so lengths may differ
// freely. Jobs start in the order given.
void hash_many(std::span<const HashJob> jobs) noexcept;

}  // namespace piecework::kernels
