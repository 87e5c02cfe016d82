#include "engine/layout/profile.h"

#include <fmt/format.h>

#include <charconv>

namespace piecework::engine {
namespace {

std::string_view rule_name(HamtRule rule) { return rule == HamtRule::kBlockBytes ? "block-bytes" : "links-bytes"; }

tl::unexpected<Error> usage(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

}  // namespace

std::string Profile::canonical_text() const {
  return fmt::format("chunk-size={};max-links={};raw-leaves={};cid-version={};hamt={}:{}", chunk_bytes, max_links,
                     raw_leaves, cid_version, rule_name(hamt_rule), hamt_threshold_bytes);
}

Result<Profile> profile_by_name(std::string_view name) {
  Profile profile;
  if (name == "unixfs-v1-2025") return profile;
  if (name == "unixfs-v0-2015") {
    profile.name = name;
    profile.chunk_bytes = 256 * kKiB;
    profile.max_links = 174;
    profile.raw_leaves = false;
    profile.cid_version = 0;
    profile.hamt_rule = HamtRule::kLinksBytes;
    return profile;
  }
  return usage(fmt::format("unknown profile '{}': expected unixfs-v1-2025 or unixfs-v0-2015", printable(name)));
}

Status check_profile(const Profile& profile) {
  if (profile.chunk_bytes < 1 || profile.chunk_bytes > kChunkBytesMax) {
    return usage(
        fmt::format("--chunk-size {} is outside 1..{} bytes (larger blocks are not transferred between IPFS nodes)",
                    profile.chunk_bytes, kChunkBytesMax));
  }
  if (profile.max_links < 2 || profile.max_links > kMaxLinksMax) {
    return usage(fmt::format("--max-links {} is outside 2..{}", profile.max_links, kMaxLinksMax));
  }
  if (profile.cid_version > 1) return usage(fmt::format("--cid-version {}: expected 0 or 1", profile.cid_version));
  if (profile.hamt_threshold_bytes > kHamtThresholdBytesMax) {
    return usage(
        fmt::format("--hamt-threshold {} is over {} bytes", profile.hamt_threshold_bytes, kHamtThresholdBytesMax));
  }
  return {};
}

Status parse_hamt_threshold(std::string_view text, Profile& profile) {
  const size_t colon = text.find(':');
  const std::string_view rule = text.substr(0, colon);
  const std::string_view digits = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  uint64_t threshold_bytes = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), threshold_bytes);
  const bool number_ok = !digits.empty() && code == std::errc() && end == digits.data() + digits.size();
  if (!number_ok || (rule != "block-bytes" && rule != "links-bytes")) {
    return usage(fmt::format("--hamt-threshold '{}': expected block-bytes:N or links-bytes:N", printable(text)));
  }
  profile.hamt_rule = rule == "block-bytes" ? HamtRule::kBlockBytes : HamtRule::kLinksBytes;
  profile.hamt_threshold_bytes = threshold_bytes;
  return {};
}

}  // namespace piecework::engine
