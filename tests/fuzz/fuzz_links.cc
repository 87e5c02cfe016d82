// Links of a block in every codec: the same on every visit, never more than a block has room for, each a whole CID, and
// a codec that is not walked has none. What dag-json accepts, another JSON parser accepts too.
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/codec/block_links.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr size_t kLinkBytesMin = 8;

void check_codec(uint64_t codec, ByteSpan block) {
  std::vector<Cid> links, again;
  const Status status = list_block_links(codec, block, links);
  PIECEWORK_CHECK(list_block_links(codec, block, again).has_value() == status.has_value());
  PIECEWORK_CHECK(again == links);
  PIECEWORK_CHECK(links.size() * kLinkBytesMin <= block.size());
  PIECEWORK_CHECK(may_have_links(codec) || (links.empty() && status));
  for (const Cid& link : links) PIECEWORK_CHECK(decode_cid(link.bytes()).has_value());
  if (status) return;
  PIECEWORK_CHECK(links.empty() && status.error().side == ErrorSide::kSource);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework::engine;
  const piecework::ByteSpan block(data, data_bytes);
  for (const uint64_t codec : {kCodecRaw, kCodecDagPb, kCodecDagCbor, kCodecDagJson, kCodecLibp2pKey}) {
    check_codec(codec, block);
  }
  std::vector<Cid> links;
  if (list_block_links(kCodecDagJson, block, links)) PIECEWORK_CHECK(nlohmann::json::accept(data, data + data_bytes));
  return 0;
}
