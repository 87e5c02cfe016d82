// The encoding of proofs, field by field as in engine/FORMATS.md ("Proofs"): a stream that is read and written once,
// from its first byte to its last. One proof has one encoding.
//
// What a proof says and whether it is true is check_proof.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// Bytes of a file, from `begin` up to and without `end`.
struct ProofRange {
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = UINT64_MAX;

  friend bool operator==(const ProofRange&, const ProofRange&) = default;
};

// An item: the links that lead to it, one after the other, from the block of `cid`.
struct ProofClaim {
  ByteSpan cid;
  std::vector<uint64_t> route;

  bool stands_before(const ProofClaim& other) const;
};

// What a proof is about. Points into the bytes that it was read from, or into what its maker keeps.
struct ProofHead {
  uint64_t base_name_count = 0;     // the data stands below so many names of each item's path
  std::optional<ProofRange> range;  // never empty
  std::vector<ProofClaim> claims;   // in ascending order
};

// The block of a visit: before | data_bytes of the data | after.
struct ProofRecord {
  ByteSpan before;
  uint64_t data_bytes = 0;
  ByteSpan after;
};

struct ProofPiece {
  Digest32 root{};
  uint64_t payload_bytes = 0;
  ByteSpan car_root;  // CID in the header of its CAR; empty where nothing rests on it
  uint64_t section_count = 0;
};

// The last bytes of a proof: the first of the SHA-256 of those before. They tell damage, and prove nothing.
inline constexpr size_t kProofSealBytes = 8;

// Of a whole proof: who makes one and who checks it keep it in memory.
inline constexpr uint64_t kProofBytesMax = 256 * kMiB;

// Appends the seal of `body`.
void seal_proof(std::vector<uint8_t>& body);

// Thread-compatible.
class ProofWriter {
 public:
  ProofWriter();
  void number(uint64_t value);
  void raw(ByteSpan bytes);
  void counted(ByteSpan bytes);
  void head(const ProofHead& head);
  void record(const ProofRecord& record);
  void piece(const ProofPiece& piece);
  size_t size() const { return bytes_.size(); }
  // The whole proof, sealed.
  std::vector<uint8_t> take();

 private:
  std::vector<uint8_t> bytes_;
};

// What it returns points into the proof. Memory grows with the proof only. Errors: kCorrupt (source).
// Thread-compatible.
class ProofReader {
 public:
  // Checks the seal and the first bytes.
  static Result<ProofReader> open(ByteSpan proof);

  Result<uint64_t> number(std::string_view what);
  Result<ByteSpan> raw(uint64_t count, std::string_view what);
  Result<ByteSpan> counted(std::string_view what);
  Result<ProofHead> head();
  // Errors also for a block of over 32 MiB.
  Result<ProofRecord> record();
  Result<ProofPiece> piece();
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  explicit ProofReader(ByteSpan bytes) : bytes_(bytes) {}
  tl::unexpected<Error> corrupt(std::string_view what) const;
  Result<std::optional<ProofRange>> range();
  Result<ProofClaim> claim();

  ByteSpan bytes_;
  size_t at_ = 0;
};

}  // namespace piecework::engine
