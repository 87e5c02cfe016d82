#include "engine/record/tree_file.h"

#include <fmt/format.h>

#include "engine/codec/piece_cid.h"
#include "engine/piece/segment_tree.h"
#include "engine/record/batch_state.h"
#include "io/file.h"
#include "kernels/base/text.h"

namespace piecework::engine {

Result<std::vector<Digest32>> read_segment_roots(const std::string& directory, const Receipt& receipt) {
  const std::string path = directory + "/" + tree_name(receipt.piece_cid_v1);
  const auto corrupt = [&path](std::string_view what) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("'{}': {}", printable(path), what));
  };
  const Result<PieceCid> piece = parse_piece_cid(receipt.piece_cid_v1);
  if (!piece || receipt.payload_bytes > kPayloadBytesMax) return corrupt("its receipt names no piece");
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  const uint64_t tree_bytes = segment_count(receipt.payload_bytes) * kDigestBytes;
  if (stamp.size_bytes != tree_bytes) {
    return corrupt(fmt::format("{} bytes, expected {}", stamp.size_bytes, tree_bytes));
  }
  std::vector<Digest32> roots(static_cast<size_t>(tree_bytes / kDigestBytes));
  const MutableByteSpan target{reinterpret_cast<uint8_t*>(roots.data()), static_cast<size_t>(tree_bytes)};
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(target, 0));
  if (read_bytes != tree_bytes) return corrupt("it became shorter while it was read");
  if (piece_root(roots, receipt.payload_bytes) != piece->root) {
    return corrupt("it does not lead to the piece that it is named by");
  }
  return roots;
}

}  // namespace piecework::engine
