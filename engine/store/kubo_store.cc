#include "engine/store/kubo_store.h"

#include <fmt/format.h>

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

Status KuboStore::read_begin(const CidView& cid, const BlockPlace&, MutableByteSpan target) {
  const std::string key = flatfs_key_of(cid.multihash);
  PIECEWORK_ASSIGN(const io::FlatfsBlockFile block, repo_.blocks().open_block(key));
  PIECEWORK_ASSIGN(const size_t got, block.file.read_full(target, 0));
  if (got == target.size()) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource,
              fmt::format("'{}' became shorter while it was read", printable(repo_.blocks().full_path(key))));
}

Status KuboStore::visit_blocks(const BlockVisitor& visit) {
  std::vector<uint8_t> bytes;
  return repo_.scan([&](const StoreEntry& entry) -> Status {
    if (entry.kind != StoreEntryKind::kBlock) return {};
    bytes.assign({0x01, static_cast<uint8_t>(kCodecRaw)});
    bytes.insert(bytes.end(), entry.multihash_bytes.begin(), entry.multihash_bytes.end());
    const auto cid = decode_cid(bytes);
    if (!cid) return {};
    return visit(*cid, {.length_bytes = entry.length_bytes});
  });
}

std::string KuboStore::describe(const CidView& cid, const BlockPlace&) const {
  return repo_.blocks().full_path(flatfs_key_of(cid.multihash));
}

}  // namespace piecework::engine
