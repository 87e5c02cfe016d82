// How files and directories become UnixFS DAGs: chunk size, fan-out, leaf form, CID version, when a directory becomes a
// HAMT. The two named profiles are IPIP-499's (formats.md 5); explicit settings override single fields.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// What is compared (strictly greater) with the threshold that turns a flat directory into a HAMT.
enum class HamtRule : uint8_t {
  kBlockBytes,  // length of the directory's serialised dag-pb block
  kLinksBytes,  // sum over the links of name length + CID length
};

struct Profile {
  std::string name = "unixfs-v1-2025";
  uint64_t chunk_bytes = kMiB;
  uint32_t max_links = 1024;  // per file node
  bool raw_leaves = true;     // raw blocks (always CIDv1), or dag-pb File nodes
  uint8_t cid_version = 1;    // of dag-pb nodes
  HamtRule hamt_rule = HamtRule::kBlockBytes;
  uint64_t hamt_threshold_bytes = 262144;

  // Lengths of the CIDs that links to leaves and to dag-pb nodes carry: 34 for CIDv0, 36 for CIDv1.
  uint32_t node_cid_bytes() const { return cid_version == 0 ? 34 : 36; }
  uint32_t leaf_cid_bytes() const { return raw_leaves ? 36 : node_cid_bytes(); }

  // A text that names every field that decides bytes; part of the plan's digest.
  std::string canonical_text() const;
};

// Limits: blocks stay below what bitswap and other implementations transfer (2 MiB), links below kubo's bound.
inline constexpr uint64_t kChunkBytesMax = 2 * kMiB - 256;
inline constexpr uint32_t kMaxLinksMax = 8192;
inline constexpr uint64_t kHamtThresholdBytesMax = kMiB;

// "unixfs-v1-2025" or "unixfs-v0-2015"; anything else is kInvalidArgument.
Result<Profile> profile_by_name(std::string_view name);

// Checks explicit settings against the limits above (kInvalidArgument).
Status check_profile(const Profile& profile);

// Parses "block-bytes:262144" or "links-bytes:262144" into `profile`.
Status parse_hamt_threshold(std::string_view text, Profile& profile);

}  // namespace piecework::engine
