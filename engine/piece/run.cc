#include "engine/piece/run.h"

namespace piecework::engine {

void LateBytes::clear() {
  extents.clear();
  bytes.clear();
}

void LateBytes::add(uint64_t offset_bytes, ByteSpan source) {
  bytes.insert(bytes.end(), source.begin(), source.end());
  if (!extents.empty() && extents.back().offset_bytes + extents.back().length_bytes == offset_bytes) {
    extents.back().length_bytes += static_cast<uint32_t>(source.size());
  } else {
    extents.push_back({offset_bytes, static_cast<uint32_t>(source.size())});
  }
}

void Run::clear() {
  length_bytes = 0;
  is_last = false;
  events.clear();
  arena.clear();
  files.clear();
  extents.clear();
  digest_count = 0;
  end_position = {};
  cold_files.reset();
  holes.clear();
  late.clear();
  spool.clear();
  late_spool.clear();
  class_puts.clear();
  state.clear();
  hashes.clear();
  status = {};
}

uint32_t Run::add_text(std::string_view text) {
  const auto position = static_cast<uint32_t>(arena.size());
  arena.insert(arena.end(), text.begin(), text.end());
  return position;
}

}  // namespace piecework::engine
