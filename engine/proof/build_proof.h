// Makes the proof that an item lies in pieces, from <piece>.nodes, <piece>.tree and few segments of <piece>.car.
// What a proof says, and its encoding: check_proof.h, engine/FORMATS.md ("Proofs").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/proof/item_locator.h"
#include "engine/proof/proof_format.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct ProofRequest {
  std::string path_or_cid;          // a path first; a CID where there is no such path
  std::optional<ProofRange> range;  // of a file
  uint64_t proof_bytes_max = kProofBytesMax;
};

struct ProvenItem {
  std::string path;  // "" where it is a piece's root, or has none
  bool has_path = false;
  Cid cid;
  std::string piece_cid_v2;
};

struct BuiltProof {
  std::vector<uint8_t> bytes;
  std::vector<ProvenItem> items;
  std::vector<std::string> piece_cids_v2;
  uint64_t section_count = 0;
};

// Memory: the proof, and PieceFiles for each piece that the locator names. Errors: kNotFound (source) where no
// piece has the item, or a CAR is missing that is needed; kInvalidArgument (configuration) for a path or range that
// cannot be, or an item whose proof is too large; kCorrupt (source) where the pieces' files are.
Result<BuiltProof> build_proof(const ProofRequest& request, ItemLocator& locator);

}  // namespace piecework::engine
