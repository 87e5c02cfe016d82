// A CAR writer that works the obvious way: every block is made in memory, bottom-up, then all are written in order. It
// shares nothing with the one-pass pipeline but the encoders of single nodes. Recursive; for tests only.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/dag_cbor.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/murmur3.h"
#include "engine/codec/unixfs.h"
#include "engine/layout/profile.h"
#include "engine/plan/inventory.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine::testing {

// A tree in memory.
struct TreeNode {
  EntryKind kind = EntryKind::kFile;
  std::string content;                       // of a file; target of a symlink
  std::map<std::string, TreeNode> children;  // in name order
};

struct Made {
  std::string cid;
  uint64_t tsize = 0;
  uint64_t file_bytes = 0;
};

class TwoPassWriter {
 public:
  explicit TwoPassWriter(const Profile& profile) : profile_(profile) {}

  // Makes every block; returns the root.
  Made make(const TreeNode& node) {
    if (node.kind == EntryKind::kFile) return make_file(node.content);
    if (node.kind == EntryKind::kSymlink) {
      std::string data(unixfs_symlink_bytes(node.content.size()), '\0');
      encode_unixfs_symlink(bytes_of(data), node.content);
      return put(kCodecDagPb, pb_node({}, data), {});
    }
    std::vector<Link> links;
    for (const auto& [name, child] : node.children) links.push_back({name, make(child)});
    std::string data("\x08\x01", 2);
    const std::string block = pb_node(links, data);
    uint64_t measured = block.size();
    if (profile_.hamt_rule == HamtRule::kLinksBytes) {
      measured = 0;
      for (const Link& link : links) measured += link.name.size() + link.made.cid.size();
    }
    if (measured <= profile_.hamt_threshold_bytes || links.empty()) return put(kCodecDagPb, block, links);
    return make_shard(links, 0);
  }

  // Sections in depth-first pre-order, each CID once.
  std::string car(const std::string& root) const {
    std::string car(car_v1_header_bytes(root.size()), '\0');
    encode_car_v1_header(bytes_of(car), as_bytes(root));
    std::set<std::string> written;
    std::vector<std::string> stack{root};
    while (!stack.empty()) {
      const std::string cid = stack.back();
      stack.pop_back();
      if (!written.insert(cid).second) continue;
      const auto& [block, children] = blocks_.at(cid);
      uint8_t length[10];
      const uint8_t* end = encode_varint(length, cid.size() + block.size());
      car += as_text({length, end});
      car += cid + block;
      stack.insert(stack.end(), children.rbegin(), children.rend());
    }
    return car;
  }

 private:
  struct Link {
    std::string name;
    Made made;
  };

  static uint8_t* bytes_of(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

  static std::string pb_node(const std::vector<Link>& links, const std::string& data) {
    std::string block;
    for (const Link& link : links) {
      std::string encoded(pb_link_bytes(link.made.cid.size(), link.name.size(), link.made.tsize), '\0');
      encode_pb_link(bytes_of(encoded), as_bytes(link.made.cid), {}, link.name, link.made.tsize);
      block += encoded;
    }
    std::string head(pb_data_bytes(data.size()) - data.size(), '\0');
    encode_pb_data_header(bytes_of(head), data.size());
    return block + head + data;
  }

  Made put(uint64_t codec, const std::string& block, const std::vector<Link>& links) {
    uint8_t cid[kCidV1Sha256Bytes];
    const int version = codec == kCodecRaw ? 1 : profile_.cid_version;
    const uint8_t* end = encode_sha256_cid(cid, version, codec, kernels::sha256(as_bytes(block)));
    Made made{std::string(as_text({cid, end})), block.size(), 0};
    std::vector<std::string> children;
    for (const Link& link : links) {
      made.tsize += link.made.tsize;
      children.push_back(link.made.cid);
    }
    blocks_[made.cid] = {block, children};
    return made;
  }

  Made make_leaf(const std::string& chunk) {
    std::string block = chunk;
    if (!profile_.raw_leaves) {
      std::string prefix(unixfs_leaf_prefix_bytes(chunk.size()), '\0');
      std::string suffix(unixfs_leaf_suffix_bytes(chunk.size()), '\0');
      encode_unixfs_leaf_prefix(bytes_of(prefix), chunk.size());
      encode_unixfs_leaf_suffix(bytes_of(suffix), chunk.size());
      block = pb_node({}, prefix + chunk + suffix);
    }
    Made made = put(profile_.raw_leaves ? kCodecRaw : kCodecDagPb, block, {});
    made.file_bytes = chunk.size();
    return made;
  }

  Made make_file(const std::string& content) {
    std::vector<Made> level;
    for (size_t at = 0; at < content.size(); at += profile_.chunk_bytes) {
      level.push_back(make_leaf(content.substr(at, profile_.chunk_bytes)));
    }
    if (level.empty()) level.push_back(make_leaf({}));
    while (level.size() > 1) {
      std::vector<Made> above;
      for (size_t at = 0; at < level.size(); at += profile_.max_links) {
        std::vector<Link> links;
        std::string sizes;
        uint64_t file_bytes = 0;
        for (size_t i = at; i < std::min(level.size(), at + profile_.max_links); ++i) {
          links.push_back({{}, level[i]});
          std::string size(unixfs_block_size_bytes(level[i].file_bytes), '\0');
          encode_unixfs_block_size(bytes_of(size), level[i].file_bytes);
          sizes += size;
          file_bytes += level[i].file_bytes;
        }
        std::string head(unixfs_file_head_bytes(file_bytes), '\0');
        encode_unixfs_file_head(bytes_of(head), file_bytes);
        above.push_back(put(kCodecDagPb, pb_node(links, head + sizes), links));
        above.back().file_bytes = file_bytes;
      }
      level = std::move(above);
    }
    return level.front();
  }

  Made make_shard(const std::vector<Link>& links, int level) {
    std::map<unsigned, std::vector<Link>> buckets;
    for (const Link& link : links) buckets[murmur3_x64_64(link.name) >> (56 - 8 * level) & 0xFF].push_back(link);
    std::vector<Link> shard_links;
    HamtBitfield bits;
    for (const auto& [bucket, members] : buckets) {
      bits.set(static_cast<uint8_t>(bucket));
      const auto prefix = hamt_prefix(static_cast<uint8_t>(bucket));
      const std::string digits(prefix.data(), prefix.size());
      if (members.size() == 1)
        shard_links.push_back({digits + members.front().name, members.front().made});
      else
        shard_links.push_back({digits, make_shard(members, level + 1)});
    }
    std::string data(unixfs_hamt_bytes(bits.trimmed_bytes()), '\0');
    encode_unixfs_hamt(bytes_of(data), bits);
    return put(kCodecDagPb, pb_node(shard_links, data), shard_links);
  }

  const Profile& profile_;
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> blocks_;
};

}  // namespace piecework::engine::testing
