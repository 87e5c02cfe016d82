// Says whether exactly these bytes lie in these pieces under these CIDs and paths: with SHA-256 alone, from a proof and
// the data, without a CAR or a catalogue. Format and rules: engine/FORMATS.md ("Proofs").
//
// What is proven: each section that the item's DAG and its path need stands, with its length and CID, at its offset in
// a piece with this piece CID; the links lead from the root in the CAR's header down the path to the item and through
// all of it; the blocks are made of the data, and the data has nothing beside. Not proven: what else the piece holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/proof/proof_data.h"
#include "engine/proof/proof_format.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct CheckedItem {
  bool has_path = false;
  std::string path;  // below the CAR's root; "" is the root itself
  Cid cid;
  Cid root_cid;  // where it has a path: in the header of the CAR in `piece_cid_v2`
  std::string piece_cid_v2;
};

struct CheckedProof {
  std::optional<ProofRange> range;
  std::vector<CheckedItem> items;
  std::vector<std::string> piece_cids_v2;
  uint64_t section_count = 0;
};

// Memory: the proof (the caller's), some hundred bytes a section, a block and a segment. Errors: kCorrupt or
// kUnsupported (source) where the answer is no, with the reason; those of reading the data.
Result<CheckedProof> check_proof(ByteSpan proof, ProofData& data);

}  // namespace piecework::engine
