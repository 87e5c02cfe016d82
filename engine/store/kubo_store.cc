#include "engine/store/kubo_store.h"

namespace piecework::engine {

Result<std::optional<BlockPlace>> KuboStore::find(const CidView& cid) {
  const Result<uint64_t> length_bytes = repo_.find(cid);
  if (length_bytes) return BlockPlace{.length_bytes = *length_bytes};
  if (length_bytes.error().code == ErrorCode::kNotFound) return std::nullopt;
  return tl::unexpected<Error>(length_bytes.error());
}

Status KuboStore::read(const CidView& cid, const BlockPlace&, std::vector<uint8_t>& target) {
  PIECEWORK_ASSIGN(const ByteSpan block, repo_.read(cid, DigestCheck::kSkip, buffer_));
  target.assign(block.begin(), block.end());
  return {};
}

std::string KuboStore::describe(const CidView& cid, const BlockPlace&) const {
  return repo_.blocks().full_path(flatfs_key_of(cid.multihash));
}

}  // namespace piecework::engine
