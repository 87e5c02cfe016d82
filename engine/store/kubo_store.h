// A kubo repository as a block store for planning.
#pragma once

#include "engine/store/block_store.h"
#include "engine/store/kubo_repo.h"

namespace piecework::engine {

// Thread-compatible. The repository outlives it.
class KuboStore : public BlockStore {
 public:
  explicit KuboStore(const KuboRepo& repo) : repo_(repo) {}

  Result<std::optional<BlockPlace>> find(const CidView& cid) override;
  Status read(const CidView& cid, const BlockPlace& place, std::vector<uint8_t>& target) override;
  Status read_begin(const CidView& cid, const BlockPlace& place, MutableByteSpan target) override;
  // What stands in the wrong place, is torn or is no block's file is passed over: a link to it finds it missing.
  Status visit_blocks(const BlockVisitor& visit) override;
  bool knows_codecs() const override { return false; }
  std::string describe(const CidView& cid, const BlockPlace& place) const override;
  // A search of every shard directory: what became of the block (in the wrong directory, under an old key).
  Error missing(const CidView& cid) const override { return repo_.explain_missing(cid); }

 private:
  const KuboRepo& repo_;
  std::vector<uint8_t> buffer_;
};

}  // namespace piecework::engine
