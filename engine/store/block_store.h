// Where a store keeps its blocks: what planning asks of a kubo repository and of CARs alike.
//
// A store is asked by CID; a kubo repository looks only at the multihash, CARs may know the whole CID. What comes back
// is a place, not content that was checked: whoever reads a block hashes it. Identity CIDs carry their data inline and
// are never asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// Where a block lies. For a kubo repository the file follows from the CID, and only the length counts.
struct BlockPlace {
  uint32_t file_index = 0;    // among the store's CARs, in the order they were given
  uint64_t offset_bytes = 0;  // of the block's data in that file
  uint64_t length_bytes = 0;  // of the data
};

// A longer block is refused before memory is taken for it. Bitswap moves 2 MiB and other readers of CARs stop at 8 MiB,
// so a store says where it has longer ones; up to here they are packed all the same (formats.md 11).
inline constexpr uint64_t kStoreBlockBytesMax = 32 * kMiB;

// Called for a block; the CID's bytes are valid during the call.
using BlockVisitor = std::function<Status(const CidView& cid, const BlockPlace& place)>;

// Thread-compatible.
class BlockStore {
 public:
  virtual ~BlockStore() = default;

  // The place of the block, or none where the store does not have it (missing, or a file of no bytes where the CID is
  // not that of no bytes). Errors (source): the store itself cannot be read.
  virtual Result<std::optional<BlockPlace>> find(const CidView& cid) = 0;
  // Reads the whole block into `target` (resized; at most kStoreBlockBytesMax). Not verified. Errors (source).
  virtual Status read(const CidView& cid, const BlockPlace& place, std::vector<uint8_t>& target) = 0;
  // Fills `target` from the start of the block. REQUIRES: the block has as many bytes. Errors (source).
  virtual Status read_begin(const CidView& cid, const BlockPlace& place, MutableByteSpan target) = 0;
  // Every block, in an order that does not depend on the machine; one that is stored twice may come twice. `visit` may
  // ask the store. Errors: of the store; the visitor's own, which ends the visit.
  virtual Status visit_blocks(const BlockVisitor& visit) = 0;
  // Whether visit_blocks() gives the CIDs that blocks are linked by; else it gives CIDv1 raw, whatever the codec.
  virtual bool knows_codecs() const = 0;
  // "path" or "path at offset", for messages.
  virtual std::string describe(const CidView& cid, const BlockPlace& place) const = 0;
  // The error for a block that find() does not know, with all that can be said about it. May take long.
  virtual Error missing(const CidView& cid) const = 0;
};

}  // namespace piecework::engine
