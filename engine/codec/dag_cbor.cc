// The links of dag-cbor blocks, by an explicit stack; see dag_cbor.h. The headers of CARs are in car_header.cc.
#include "engine/codec/dag_cbor.h"

#include <fmt/format.h>

#include <string_view>

#include "engine/codec/cbor_reader.h"

namespace piecework::engine {
namespace {

// An array or map that is being read.
struct Container {
  uint64_t items_left = 0;  // of a map: entries
  bool is_map = false;
  bool has_key = false;
  std::string_view last_key;
};

// dag-cbor orders map keys by length, then by bytes.
bool key_precedes(std::string_view a, std::string_view b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

class LinkVisitor {
 public:
  LinkVisitor(ByteSpan block, const std::function<Status(const CidView&)>& visit) : reader_(block), visit_(visit) {}

  Status run() {
    PIECEWORK_TRY(read_item());
    while (!open_.empty()) {
      Container& top = open_.back();
      if (top.items_left == 0) {
        open_.pop_back();
        continue;
      }
      --top.items_left;
      if (top.is_map) PIECEWORK_TRY(read_key(top));
      PIECEWORK_TRY(read_item());
    }
    if (!reader_.at_end()) return reader_.corrupt("bytes after the block's item");
    return {};
  }

 private:
  Status read_key(Container& map) {
    PIECEWORK_ASSIGN(const std::string_view key, reader_.read_text());
    if (map.has_key && !key_precedes(map.last_key, key)) return reader_.corrupt("map keys out of order or twice");
    map.last_key = key;
    map.has_key = true;
    return {};
  }

  Status read_item() {
    PIECEWORK_ASSIGN(const CborHead head, reader_.read_head());
    switch (head.major) {
      case CborMajor::kBytes:
      case CborMajor::kText:
        PIECEWORK_TRY(reader_.read_content(head));
        return {};
      case CborMajor::kArray:
      case CborMajor::kMap:
        if (open_.size() == kDagCborDepthMax) {
          return reader_.corrupt(fmt::format("nested deeper than {} levels", kDagCborDepthMax));
        }
        open_.push_back({head.argument, head.major == CborMajor::kMap, false, {}});
        return {};
      case CborMajor::kTag: {
        PIECEWORK_ASSIGN(const CidView link, reader_.read_link_content(head));
        return visit_(link);
      }
      case CborMajor::kUnsigned:
      case CborMajor::kNegative:
      case CborMajor::kSimple:
        return {};
    }
    return {};
  }

  CborReader reader_;
  const std::function<Status(const CidView&)>& visit_;
  std::vector<Container> open_;  // grows by one for each head that was really there, to kDagCborDepthMax at most
};

}  // namespace

Status visit_dag_cbor_links(ByteSpan block, const std::function<Status(const CidView&)>& visit) {
  return LinkVisitor(block, visit).run();
}

}  // namespace piecework::engine
