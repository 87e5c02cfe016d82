// See check_proof.h.
#include "engine/proof/check_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/codec/multibase.h"
#include "engine/codec/piece_cid.h"
#include "engine/proof/proof_tree.h"
#include "engine/proof/proof_walk.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> no(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

std::string join(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) path += (path.empty() ? "" : "/") + name;
  return path;
}

// A block that was come to, to be found in a piece.
struct Section {
  Cid cid;
  ProofRecord record;
  std::shared_ptr<const std::string> path;  // where the data has its part
  uint64_t data_offset_bytes = 0;
  bool is_used = false;
};

class ProofCheck : public ProofWalkClient {
 public:
  ProofCheck(ProofReader& reader, ProofData& data) : reader_(reader), data_(data) {}

  Result<CheckedProof> run() {
    PIECEWORK_ASSIGN(head_, reader_.head());
    checked_.range = head_.range;
    ProofWalk walk(head_, *this);
    for (const ProofClaim& claim : head_.claims) PIECEWORK_TRY(walk.run(claim));
    PIECEWORK_TRY(check_nothing_beside());
    PIECEWORK_TRY(check_pieces());
    PIECEWORK_TRY(check_roots());
    if (!reader_.at_end()) return no("the proof has bytes behind its end");
    if (used_count_ != sections_.size()) return no("the proof has blocks in no piece");
    checked_.section_count = sections_.size();
    return std::move(checked_);
  }

  Result<ProofNode> visit(const ProofStep& step) override {
    PIECEWORK_ASSIGN(const ProofRecord record, reader_.record());
    const ProofRange range = head_.range.value_or(ProofRange());
    const uint64_t data_offset_bytes = std::max(step.file_offset_bytes, range.begin_bytes) - range.begin_bytes;
    PIECEWORK_TRY(make_block(record, *step.path, data_offset_bytes));
    const CidView cid = step.cid.view();
    PIECEWORK_TRY(check_block_digest(cid, block_));
    PIECEWORK_ASSIGN(ProofNode node, read_proof_node(cid, block_));
    const ProofSplit split = split_block(step, node, block_.size(), range);
    if (record.before.size() != split.before_bytes || record.data_bytes != split.data_bytes) {
      return no(fmt::format("{}: the proof takes other bytes from the data than its content", step.cid.text()));
    }
    if (!cid.is_identity()) add_section(step, record, data_offset_bytes);
    return node;
  }

  Status accept_entry(const ProofStep& step, const ProofNode& node, const std::vector<std::string>& names) override {
    PIECEWORK_ASSIGN(const ProofDataEntry entry, data_.entry(*step.path));
    const auto differs = [&step](std::string_view what) {
      return no(fmt::format("the data's '{}': expected {}", printable(*step.path), what));
    };
    switch (node.kind) {
      case ProofNodeKind::kFile:
      case ProofNodeKind::kOther: {
        const uint64_t expected_bytes =
            head_.range ? head_.range->end_bytes - head_.range->begin_bytes : node.total_bytes;
        if (entry.kind == ProofDataKind::kFile && entry.size_bytes == expected_bytes) break;
        return differs(fmt::format("a file of {} bytes", expected_bytes));
      }
      case ProofNodeKind::kSymlink: {
        const ByteSpan target = ByteSpan(block_).subspan(node.content_offset_bytes, node.content_bytes);
        if (entry.kind == ProofDataKind::kSymlink && entry.target == as_text(target)) break;
        return differs(fmt::format("a symlink to '{}'", printable(as_text(target))));
      }
      case ProofNodeKind::kDirectory:
      case ProofNodeKind::kHamtShard:
        if (entry.kind != ProofDataKind::kDirectory) return differs("a directory");
    }
    paths_.insert(*step.path);
    if (step.is_item) checked_.items.push_back({.path = join(names), .cid = step.cid});
    return {};
  }

 private:
  Status make_block(const ProofRecord& record, const std::string& path, uint64_t data_offset_bytes) {
    block_.assign(record.before.begin(), record.before.end());
    if (record.data_bytes > 0) {
      block_.resize(record.before.size() + record.data_bytes);
      PIECEWORK_TRY(data_.read(path, data_offset_bytes, MutableByteSpan(block_).subspan(record.before.size())));
    }
    block_.insert(block_.end(), record.after.begin(), record.after.end());
    return {};
  }

  // One for each CID; where its hash function can be broken, for each block that came with it.
  void add_section(const ProofStep& step, const ProofRecord& record, uint64_t data_offset_bytes) {
    const bool is_strong = step.cid.view().multihash.code != kHashSha1;
    const Digest32 digest = is_strong ? Digest32() : kernels::sha256(block_);
    if (!known_.emplace(step.cid, digest).second) return;
    sections_.push_back({step.cid, record, step.path, data_offset_bytes});
  }

  Status check_nothing_beside() {
    paths_.erase("");
    PIECEWORK_ASSIGN(const std::optional<std::string> beside, data_.first_beside(paths_));
    if (beside) return no(fmt::format("the data's '{}' is not in the proof", printable(*beside)));
    return {};
  }

  Status check_pieces() {
    PIECEWORK_ASSIGN(const uint64_t piece_count, reader_.number("the pieces"));
    if (piece_count == 0) return no("the proof has no piece");
    std::vector<uint8_t> last_cid;
    for (uint64_t i = 0; i < piece_count; ++i) {
      PIECEWORK_ASSIGN(const ProofPiece piece, reader_.piece());
      const std::string text = piece_cid_v2_text(piece.root, piece.payload_bytes);
      std::vector<uint8_t> cid = *decode_multibase(text);
      if (i > 0 && last_cid >= cid) return no("the proof's pieces are out of order");
      last_cid = std::move(cid);
      if (!piece.car_root.empty()) roots_.emplace_back(piece.car_root, text);
      PIECEWORK_TRY(check_piece(piece, text));
      checked_.piece_cids_v2.push_back(text);
    }
    return {};
  }

  Status check_piece(const ProofPiece& piece, const std::string& text) {
    PayloadTree tree;
    const BesideVisitor beside = {
        .bytes = [&](const PayloadRange& range) -> Status {
          PIECEWORK_ASSIGN(const ByteSpan bytes, reader_.raw(range.end_bytes - range.begin_bytes, "a piece's bytes"));
          tree.append_bytes(bytes);
          return {};
        },
        .subtree = [&](const TreeNode& node) -> Status {
          PIECEWORK_ASSIGN(const ByteSpan hash, reader_.raw(kDigestBytes, "a piece's hashes"));
          Digest32 root;
          std::ranges::copy(hash, root.begin());
          tree.append_subtree(node, root);
          return {};
        }};
    if (!piece.car_root.empty()) {
      if (const auto cid = decode_cid(piece.car_root); !cid) return tl::unexpected<Error>(cid.error());
      std::vector<uint8_t> header(car_v1_header_bytes(piece.car_root.size()));
      encode_car_v1_header(header.data(), piece.car_root);
      tree.append_bytes(header);
    }
    for (uint64_t i = 0; i < piece.section_count && tree.at_bytes() <= piece.payload_bytes; ++i) {
      PIECEWORK_ASSIGN(const uint64_t gap_bytes, reader_.number("the bytes before a section"));
      const uint64_t begin_bytes = tree.at_bytes() + gap_bytes;
      if (begin_bytes >= piece.payload_bytes) return no("a section behind the end of its piece");
      PIECEWORK_TRY(visit_beside({tree.at_bytes(), begin_bytes}, beside));
      PIECEWORK_TRY(append_section(tree));
    }
    if (tree.at_bytes() > piece.payload_bytes) return no("a section passes the end of its piece");
    PIECEWORK_TRY(visit_rest(tree.at_bytes(), piece.payload_bytes, beside));
    const Digest32 root = tree.finish();
    if (root == piece.root) return {};
    return no(fmt::format("the bytes lead to the piece {}, not to {}", piece_cid_v2_text(root, piece.payload_bytes),
                          text));
  }

  Status append_section(PayloadTree& tree) {
    PIECEWORK_ASSIGN(const uint64_t number, reader_.number("a section"));
    if (number >= sections_.size() || sections_[static_cast<size_t>(number)].is_used) {
      return no(fmt::format("no section {}, or it comes twice", number));
    }
    Section& section = sections_[static_cast<size_t>(number)];
    section.is_used = true;
    ++used_count_;
    PIECEWORK_TRY(make_block(section.record, *section.path, section.data_offset_bytes));
    const ByteSpan cid = section.cid.bytes();
    std::vector<uint8_t> length(varint_bytes(cid.size() + block_.size()));
    encode_varint(length.data(), cid.size() + block_.size());
    tree.append_bytes(length);
    tree.append_bytes(cid);
    tree.append_bytes(block_);
    return {};
  }

  // Either each claim begins at the root of a piece's CAR and no piece has another one, or it is one CID alone.
  Status check_roots() {
    if (roots_.empty()) {
      if (head_.claims.size() == 1 && head_.claims[0].route.empty()) return {};
      return no("a path from no root of a CAR");
    }
    const auto by_cid = [](const auto& a, const auto& b) {
      return std::ranges::lexicographical_compare(a.first, b.first);
    };
    std::ranges::sort(roots_, by_cid);
    size_t next = 0;  // claims stand in the order of their CIDs
    for (size_t i = 0; i < head_.claims.size(); ++i) {
      const ByteSpan cid = head_.claims[i].cid;
      if (i == 0 || !std::ranges::equal(cid, head_.claims[i - 1].cid)) ++next;
      if (next > roots_.size() || !std::ranges::equal(roots_[next - 1].first, cid)) return no("another root of a CAR");
      checked_.items[i].has_path = true;
      checked_.items[i].root_cid = Cid(*decode_cid(cid));
      checked_.items[i].piece_cid_v2 = roots_[next - 1].second;
    }
    return next == roots_.size() ? Status() : no("a root of a CAR that no item begins at");
  }

  ProofReader& reader_;
  ProofData& data_;
  ProofHead head_;
  CheckedProof checked_;
  std::vector<Section> sections_;  // in the order in which they are come to
  std::set<std::pair<Cid, Digest32>> known_;
  size_t used_count_ = 0;
  std::set<std::string> paths_;                           // of the data, that are proven
  std::vector<std::pair<ByteSpan, std::string>> roots_;   // of CARs, with the piece
  std::vector<uint8_t> block_;                            // of the step at hand
};

}  // namespace

Result<CheckedProof> check_proof(ByteSpan bytes, ProofData& data) {
  PIECEWORK_ASSIGN(ProofReader reader, ProofReader::open(bytes));
  Result<CheckedProof> checked = ProofCheck(reader, data).run();
  if (!checked) {
    // A path that leads nowhere, or a range that is not there: whoever makes a proof asked for it, here it is a no.
    Error& error = checked.error();
    const bool is_no = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
    if (is_no) error.code = ErrorCode::kCorrupt;
    if (is_no) error.side = ErrorSide::kSource;
  }
  return checked;
}

}  // namespace piecework::engine
