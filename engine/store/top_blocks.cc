#include "engine/store/top_blocks.h"

#include <fmt/format.h>

#include <array>

#include "engine/codec/block_links.h"
#include "engine/codec/car_block.h"
#include "engine/store/car_index.h"
#include "engine/store/store_node.h"

namespace piecework::engine {
namespace {

// The first byte of canonical dag-pb with links, and of dag-pb without.
constexpr uint8_t kLinksTag = 0x12;
constexpr uint8_t kDataTag = 0x0a;

class TopBlocks {
 public:
  TopBlocks(BlockStore& store, const TopBlockOptions& options) : store_(store), options_(options) {}

  Status run(const BlockVisitor& visit) {
    CarIndexBuilder builder(options_.scratch_directory, options_.memory_bytes);
    PIECEWORK_TRY(store_.visit_blocks(
        [&](const CidView& cid, const BlockPlace& place) { return collect_links(cid, place, builder); }));
    const auto ignore_repeat = [](const CarIndexEntry&, const CarIndexEntry&) -> Status { return {}; };
    PIECEWORK_ASSIGN(CarIndex linked, builder.finish(ignore_repeat));
    return store_.visit_blocks([&](const CidView& cid, const BlockPlace& place) -> Status {
      PIECEWORK_TRY(check_stop());
      PIECEWORK_ASSIGN(const std::optional<CarIndexEntry> link, linked.find(key_of(cid)));
      if (link) return {};
      PIECEWORK_ASSIGN(const Cid top, with_codec(cid, place));
      return visit(top.view(), place);
    });
  }

 private:
  Status check_stop() const {
    if (options_.stop == nullptr || !options_.stop->load(std::memory_order_relaxed)) return {};
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while looking for blocks that nothing links to");
  }

  CarIndexKey key_of(const CidView& cid) const {
    if (store_.knows_codecs()) return car_index_key(cid.bytes);
    uint8_t raw[kCidBytesMax];  // one CID for all that name the block's multihash
    const uint8_t* end = encode_multihash(raw, cid.multihash.code, cid.multihash.digest);
    return car_index_key({raw, static_cast<size_t>(end - raw)});
  }

  Status collect_links(const CidView& cid, const BlockPlace& place, CarIndexBuilder& builder) {
    PIECEWORK_TRY(check_stop());
    PIECEWORK_ASSIGN(const bool is_candidate, may_link(cid, place));
    if (!is_candidate) return {};
    PIECEWORK_ASSIGN(const std::unique_ptr<StoreNode> node, open(cid, place));
    while (node != nullptr) {
      const std::optional<StoreLink> link = node->next();
      if (!link) break;
      PIECEWORK_TRY(builder.append({key_of(link->cid), 0, 0, 0}));
    }
    return {};
  }

  Result<bool> may_link(const CidView& cid, const BlockPlace& place) {
    if (store_.knows_codecs()) return may_have_links(cid.codec);
    PIECEWORK_ASSIGN(const uint8_t first, first_byte(cid, place));
    return first == kLinksTag;
  }

  Result<uint8_t> first_byte(const CidView& cid, const BlockPlace& place) {
    std::array<uint8_t, 1> first{};
    if (place.length_bytes > 0) PIECEWORK_TRY(store_.read_begin(cid, place, first));
    return first[0];
  }

  // Reads a block and checks that it is what its CID names.
  Status read(const CidView& cid, const BlockPlace& place) {
    PIECEWORK_TRY(store_.read(cid, place, data_));
    return check_block_digest(cid, data_);
  }

  // None where the codec is not known and the block is no UnixFS.
  Result<std::unique_ptr<StoreNode>> open(const CidView& cid, const BlockPlace& place) {
    Status checked = read(cid, place);
    if (checked) {
      auto node = StoreNode::open(store_.knows_codecs() ? cid.codec : kCodecDagPb, std::move(data_));
      if (!store_.knows_codecs()) {
        const bool is_unixfs = node && (*node)->kind() != StoreNode::Kind::kOther;
        return is_unixfs ? std::move(node) : std::unique_ptr<StoreNode>();
      }
      if (node) return node;
      checked = tl::unexpected<Error>(std::move(node).error());
    }
    Error error = std::move(checked).error();
    if (error.code == ErrorCode::kCorrupt) {
      const std::string place_text = printable(store_.describe(cid, place));
      error.message = fmt::format("{} in {}: {}", cid_text(cid.bytes), place_text, error.message);
    }
    return tl::unexpected<Error>(std::move(error));
  }

  Result<Cid> with_codec(const CidView& cid, const BlockPlace& place) {
    if (store_.knows_codecs() || !cid.is_sha256()) return Cid(cid);
    PIECEWORK_ASSIGN(const uint8_t first, first_byte(cid, place));
    if (first != kLinksTag && first != kDataTag) return Cid(cid);
    PIECEWORK_ASSIGN(const std::unique_ptr<StoreNode> node, open(cid, place));
    if (node == nullptr) return Cid(cid);
    Digest32 digest;
    std::copy(cid.multihash.digest.begin(), cid.multihash.digest.end(), digest.begin());
    return sha256_cid(1, kCodecDagPb, digest);
  }

  BlockStore& store_;
  const TopBlockOptions& options_;
  std::vector<uint8_t> data_;
};

}  // namespace

Status visit_top_blocks(BlockStore& store, const TopBlockOptions& options, const BlockVisitor& visit) {
  return TopBlocks(store, options).run(visit);
}

}  // namespace piecework::engine
