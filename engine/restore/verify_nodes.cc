// See verify_nodes.h.
#include "engine/restore/verify_nodes.h"

#include "engine/record/nodes_reader.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

Result<NodesFacts> verify_nodes(const io::File& file) {
  PIECEWORK_ASSIGN(NodesReader reader, NodesReader::open(file));
  NodesFacts facts;
  kernels::Sha256 hasher;
  const auto count = [&facts](const NodesEntry&) -> Status {
    ++facts.section_count;
    return {};
  };
  for (size_t number = 0; number < reader.frames().size(); ++number) {
    PIECEWORK_ASSIGN(facts.car_bytes, reader.visit_frame(number, count));
    PIECEWORK_ASSIGN(const ByteSpan content, reader.read_frame(number));
    hasher.append(content);
  }
  facts.content = {reader.content_bytes(), hasher.finish()};
  return facts;
}

}  // namespace piecework::engine
