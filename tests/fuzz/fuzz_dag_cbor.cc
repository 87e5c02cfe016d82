// dag-cbor: links are the same on every visit and lie inside the block; headers with one root are encoded again the
// same.
#include <algorithm>
#include <vector>

#include "engine/codec/dag_cbor.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

void check_links(ByteSpan block) {
  std::vector<CidView> first;
  const Status status = visit_dag_cbor_links(block, [&first, block](const CidView& link) -> Status {
    PIECEWORK_CHECK(link.bytes.data() >= block.data());
    PIECEWORK_CHECK(link.bytes.data() + link.bytes.size() <= block.data() + block.size());
    first.push_back(link);
    return {};
  });
  size_t visited = 0;
  const Status again = visit_dag_cbor_links(block, [&](const CidView& link) -> Status {
    PIECEWORK_CHECK(link.bytes.data() == first[visited].bytes.data());
    ++visited;
    return {};
  });
  PIECEWORK_CHECK(again.has_value() == status.has_value() && visited == first.size());
}

// The header's form has no choices: what is accepted with one root is what we would write.
void check_header(ByteSpan header) {
  const Result<CarHeader> decoded = decode_car_v1_header(header);
  if (!decoded) return;
  PIECEWORK_CHECK(!is_car_v2_pragma(header));
  PIECEWORK_CHECK(visit_dag_cbor_links(header, [](const CidView&) -> Status { return {}; }).has_value());
  if (decoded->roots.size() != 1) return;
  const ByteSpan root = decoded->roots[0].bytes;
  std::vector<uint8_t> again(car_v1_header_bytes(root.size()));
  PIECEWORK_CHECK(encode_car_v1_header(again.data(), root) == again.data() + again.size());
  PIECEWORK_CHECK(std::ranges::equal(ByteSpan(again).subspan(varint_bytes(header.size())), header));
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  piecework::engine::check_links({data, data_bytes});
  piecework::engine::check_header({data, data_bytes});
  return 0;
}
