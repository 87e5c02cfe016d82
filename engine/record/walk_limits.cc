#include "engine/record/walk_limits.h"

#include <fmt/format.h>

#include <string_view>

namespace piecework::engine {
namespace {

// Of a node that is held: links of other codecs than dag-pb stand beside its bytes.
uint64_t resident_bytes_of(uint64_t node_bytes) { return 512 + 2 * node_bytes; }

}  // namespace

bool WalkLimits::may_repeat(uint64_t block_bytes) {
  if (visit_count_ >= visits_max_) {
    ++cut_count_;
    return false;
  }
  visit_count_ += block_bytes / kBytesPerVisit;
  return true;
}

bool WalkLimits::can_be_listed(size_t directory_path_bytes, size_t name_bytes) {
  if (name_bytes <= kNameBytesMax && directory_path_bytes + 1 + name_bytes <= kPathBytesMax) return true;
  ++unlisted_count_;
  return false;
}

bool WalkLimits::enter(size_t depth, uint64_t node_bytes, uint64_t size_bytes) {
  const uint64_t bytes = resident_bytes_of(node_bytes);
  if (depth >= kDepthMax || resident_bytes_ + bytes > kResidentBytesMax || size_bytes > kFileBytesMax) {
    ++deep_count_;
    return false;
  }
  resident_bytes_ += bytes;
  return true;
}

void WalkLimits::leave(uint64_t node_bytes) { resident_bytes_ -= resident_bytes_of(node_bytes); }

void WalkLimits::report(const std::string& piece_cid_v1,
                        const std::function<void(const std::string&)>& warning) const {
  const auto say = [&](uint64_t count, std::string_view what) {
    if (count > 0 && warning) warning(fmt::format("piece {}: {} {}", piece_cid_v1, count, what));
  };
  say(cut_count_, "links lead to what was met too often by then: what stands below is listed under other paths alone; "
                  "find it by its CID, or name the CAR to ls and extract");
  say(unlisted_count_, "entries have names of over 255 or paths of over 4096 bytes and are listed without: find them "
                       "by their CIDs, or name the CAR to ls and extract");
  say(deep_count_, "nodes stand below too many others, or are files of more than 2^63 bytes, and are not gone below: "
                   "name the CAR to ls and extract for what they hold");
}

}  // namespace piecework::engine
