// See check_proof.h.
#include "engine/proof/check_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/codec/piece_cid.h"
#include "engine/proof/proof_tree.h"
#include "engine/proof/proof_walk.h"
#include "io/car_reader.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> no(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

// Payload of a piece: bytes in memory, or of the data.
struct PayloadSpan {
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
  const uint8_t* memory = nullptr;          // or
  std::shared_ptr<const std::string> path;  // of the data, at
  uint64_t data_offset_bytes = 0;
};

// A record that was come to.
struct Section {
  const ProofRecord* record = nullptr;
  std::vector<uint8_t> head;                // its varint and CID
  std::shared_ptr<const std::string> path;  // where the first visit found its data
  uint64_t data_offset_bytes = 0;
};

class ProofCheck : public ProofWalkClient {
 public:
  ProofCheck(const Proof& proof, ProofData& data) : proof_(proof), data_(data) {
    if (proof.range) range_ = *proof.range;
  }

  Result<CheckedProof> run() {
    checked_.range = proof_.range;
    ProofWalk walk(proof_.base, proof_.range, *this);
    for (const ProofClaim& claim : proof_.claims) {
      claim_ = &claim;
      if (claim.has_path) PIECEWORK_TRY(use_piece(claim.piece));
      PIECEWORK_TRY(walk.run(claim));
    }
    if (sections_.size() != proof_.records.size()) return no("the proof has sections that nothing needs");
    if (used_pieces_ != proof_.pieces.size()) return no("the proof has pieces that nothing needs");
    PIECEWORK_TRY(check_nothing_beside());
    for (size_t piece = 0; piece < proof_.pieces.size(); ++piece) PIECEWORK_TRY(check_piece(piece));
    checked_.section_count = sections_.size();
    return std::move(checked_);
  }

  Result<ProofNode> read(const ProofStep& step) override {
    is_first_ = false;
    const CidView cid = step.cid.view();
    if (cid.is_identity()) {
      block_ = cid.multihash.digest;
      return read_proof_node(cid, block_);
    }
    const auto [found, is_new] = section_of_.try_emplace(step.cid, sections_.size());
    if (is_new) PIECEWORK_TRY(take_record(step));
    PIECEWORK_TRY(make_block(sections_[found->second]));
    if (is_new) PIECEWORK_TRY(check_block_digest(cid, block_));
    is_first_ = is_new;
    return read_proof_node(cid, block_);
  }

  Status accept(const ProofStep& step, const ProofNode& node) override {
    const ProofSplit split = split_block(step, node, block_.size(), range_);
    if (is_first_) {
      const ProofRecord& record = *sections_.back().record;
      if (record.before.size() != split.before_bytes || record.data_bytes != split.data_bytes) {
        return no(fmt::format("{}: the proof takes other bytes from the data than its content", step.cid.text()));
      }
    } else if (split.data_bytes > 0) {
      PIECEWORK_TRY(compare(step, split));
    }
    if (step.role == ProofRole::kEntry) return check_entry(step, node);
    return {};
  }

 private:
  // Pieces are numbered in the order in which they are come to.
  Status use_piece(uint64_t piece) {
    if (piece > used_pieces_) return no("the proof's pieces are out of order");
    if (piece == used_pieces_) ++used_pieces_;
    return {};
  }

  Status take_record(const ProofStep& step) {
    if (sections_.size() == proof_.records.size()) return no(fmt::format("{}: no section", step.cid.text()));
    const ProofRecord& record = proof_.records[sections_.size()];
    PIECEWORK_TRY(use_piece(record.piece));
    if (record.before.size() > io::kCarBlockBytesMax || record.data_bytes > io::kCarBlockBytesMax ||
        record.after.size() > io::kCarBlockBytesMax) {
      return no(fmt::format("{}: a block of over {} bytes", step.cid.text(), io::kCarBlockBytesMax));
    }
    Section section{.record = &record, .path = step.path};
    const ByteSpan cid = step.cid.bytes();
    const uint64_t length = cid.size() + record.before.size() + record.data_bytes + record.after.size();
    section.head.resize(varint_bytes(length));
    encode_varint(section.head.data(), length);
    section.head.insert(section.head.end(), cid.begin(), cid.end());
    section.data_offset_bytes = std::max(step.file_offset_bytes, range_.begin_bytes) - range_.begin_bytes;
    sections_.push_back(std::move(section));
    return {};
  }

  // The block into block_.
  Status make_block(const Section& section) {
    const ProofRecord& record = *section.record;
    if (record.data_bytes == 0) {
      block_ = record.before;
      return {};
    }
    buffer_.assign(record.before.begin(), record.before.end());
    buffer_.resize(record.before.size() + record.data_bytes);
    PIECEWORK_TRY(data_.read(*section.path, section.data_offset_bytes,
                             MutableByteSpan(buffer_).subspan(record.before.size())));
    buffer_.insert(buffer_.end(), record.after.begin(), record.after.end());
    block_ = buffer_;
    return {};
  }

  // A block that was seen before, or is inline, at a place where the data was not made into it.
  Status compare(const ProofStep& step, const ProofSplit& split) {
    std::vector<uint8_t> found(split.data_bytes);
    PIECEWORK_TRY(data_.read(*step.path, split.file_offset_bytes - range_.begin_bytes, found));
    if (std::ranges::equal(found, block_.subspan(split.before_bytes, split.data_bytes))) return {};
    return no(fmt::format("the data's '{}', {} bytes from {}: not the bytes of {}", printable(*step.path),
                          split.data_bytes, split.file_offset_bytes - range_.begin_bytes, step.cid.text()));
  }

  Status check_entry(const ProofStep& step, const ProofNode& node) {
    PIECEWORK_ASSIGN(const ProofDataEntry entry, data_.entry(*step.path));
    const auto differs = [&step](std::string_view what) {
      return no(fmt::format("the data's '{}': expected {}", printable(*step.path), what));
    };
    switch (node.kind) {
      case ProofNodeKind::kFile:
      case ProofNodeKind::kOther: {
        const uint64_t expected_bytes =
            proof_.range ? range_.end_bytes - range_.begin_bytes : node.total_bytes;
        if (entry.kind == ProofDataKind::kFile && entry.size_bytes == expected_bytes) break;
        return differs(fmt::format("a file of {} bytes", expected_bytes));
      }
      case ProofNodeKind::kSymlink: {
        const ByteSpan target = block_.subspan(node.content_offset_bytes, node.content_bytes);
        if (entry.kind == ProofDataKind::kSymlink && entry.target == as_text(target)) break;
        return differs(fmt::format("a symlink to '{}'", printable(as_text(target))));
      }
      case ProofNodeKind::kDirectory:
      case ProofNodeKind::kHamtShard:
        if (entry.kind != ProofDataKind::kDirectory) return differs("a directory");
    }
    if (step.is_item) add_item(step);
    return add_path(*step.path);
  }

  // The entry and the directories around it.
  Status add_path(std::string path) {
    while (!path.empty() && paths_.insert(path).second) {
      path.resize(path.find('/') == path.npos ? 0 : path.rfind('/'));
      PIECEWORK_ASSIGN(const ProofDataEntry around, data_.entry(path));
      if (around.kind != ProofDataKind::kDirectory) {
        return no(fmt::format("the data's '{}': expected a directory", printable(path)));
      }
    }
    return {};
  }

  void add_item(const ProofStep& step) {
    CheckedItem item{.has_path = claim_->has_path, .path = *step.path, .cid = step.cid};
    if (claim_->has_path) {
      std::string base;
      for (const std::string_view name : proof_.base) base += (base.empty() ? "" : "/") + std::string(name);
      item.path = base + (base.empty() || item.path.empty() ? "" : "/") + item.path;
      item.root_cid = Cid(*decode_cid(claim_->cid));
      const ProofPiece& piece = proof_.pieces[claim_->piece];
      item.piece_cid_v2 = piece_cid_v2_text(piece.root, piece.payload_bytes);
    }
    checked_.items.push_back(std::move(item));
  }

  Status check_nothing_beside() {
    PIECEWORK_ASSIGN(const std::optional<std::string> beside, data_.first_beside(paths_));
    if (beside) return no(fmt::format("the data's '{}' is not in the proof", printable(*beside)));
    return {};
  }

  // Everything of a piece that is known, in order. `header` keeps what is made here.
  Result<std::vector<PayloadSpan>> payload_spans(size_t piece, std::vector<uint8_t>& header) const {
    std::vector<PayloadSpan> spans;
    const auto add = [&spans](uint64_t& offset_bytes, ByteSpan bytes) {
      if (!bytes.empty()) spans.push_back({offset_bytes, bytes.size(), bytes.data()});
      offset_bytes += bytes.size();
    };
    for (const ProofClaim& claim : proof_.claims) {
      if (!claim.has_path || claim.piece != piece) continue;
      std::vector<uint8_t> found(car_v1_header_bytes(claim.cid.size()));
      encode_car_v1_header(found.data(), claim.cid);
      if (!header.empty() && header != found) return no("a piece with two roots");
      header = std::move(found);
    }
    uint64_t header_end_bytes = 0;
    add(header_end_bytes, header);
    for (const Section& section : sections_) {
      const ProofRecord& record = *section.record;
      if (record.piece != piece) continue;
      uint64_t offset_bytes = record.car_offset_bytes;
      add(offset_bytes, section.head);
      add(offset_bytes, record.before);
      if (record.data_bytes > 0) {
        spans.push_back({offset_bytes, record.data_bytes, nullptr, section.path, section.data_offset_bytes});
      }
      offset_bytes += record.data_bytes;
      add(offset_bytes, record.after);
    }
    std::ranges::sort(spans, {}, &PayloadSpan::offset_bytes);
    return spans;
  }

  Status check_piece(size_t number) {
    const ProofPiece& piece = proof_.pieces[number];
    std::vector<uint8_t> header;
    PIECEWORK_ASSIGN(std::vector<PayloadSpan> spans, payload_spans(number, header));
    std::vector<PayloadRange> ranges;
    for (const PayloadSpan& span : spans) ranges.push_back({span.offset_bytes, span.offset_bytes + span.length_bytes});
    PIECEWORK_ASSIGN(const ProofTree tree, ProofTree::make(piece.payload_bytes, std::move(ranges)));
    if (piece.edge_bytes.size() != tree.edge_bytes()) {
      return no(fmt::format("{} edge bytes, expected {}", piece.edge_bytes.size(), tree.edge_bytes()));
    }
    const uint8_t* edge = piece.edge_bytes.data();
    for (const PayloadRange& range : tree.edges()) {
      spans.push_back({range.begin_bytes, range.end_bytes - range.begin_bytes, edge});
      edge += range.end_bytes - range.begin_bytes;
    }
    std::ranges::sort(spans, {}, &PayloadSpan::offset_bytes);
    ByteSpan hashes = piece.boundary_hashes;
    PIECEWORK_ASSIGN(const Digest32 root,
                     tree.root({.boundary = [&hashes](const TreeNode&) -> Result<Digest32> {
                                  if (hashes.empty()) return no("too few boundary hashes");
                                  Digest32 hash;
                                  std::copy_n(hashes.begin(), hash.size(), hash.begin());
                                  hashes = hashes.subspan(hash.size());
                                  return hash;
                                },
                                .payload = [&](MutableByteSpan target, uint64_t offset_bytes) {
                                  return read_payload(spans, target, offset_bytes);
                                }}));
    if (!hashes.empty()) return no("more boundary hashes than are needed");
    if (root == piece.root) return {};
    return no(fmt::format("the bytes lead to the piece {}, not to {}",
                          piece_cid_v2_text(root, piece.payload_bytes),
                          piece_cid_v2_text(piece.root, piece.payload_bytes)));
  }

  Status read_payload(const std::vector<PayloadSpan>& spans, MutableByteSpan target, uint64_t offset_bytes) {
    const auto ends_behind = [](uint64_t at, const PayloadSpan& s) { return at < s.offset_bytes + s.length_bytes; };
    auto span = std::upper_bound(spans.begin(), spans.end(), offset_bytes, ends_behind);
    while (!target.empty()) {
      PIECEWORK_CHECK(span != spans.end() && span->offset_bytes <= offset_bytes);  // ProofTree asks for these only
      const uint64_t skip_bytes = offset_bytes - span->offset_bytes;
      const size_t count = static_cast<size_t>(std::min<uint64_t>(target.size(), span->length_bytes - skip_bytes));
      if (span->memory != nullptr) {
        std::memcpy(target.data(), span->memory + skip_bytes, count);
      } else {
        PIECEWORK_TRY(data_.read(*span->path, span->data_offset_bytes + skip_bytes, target.first(count)));
      }
      target = target.subspan(count);
      offset_bytes += count;
      ++span;
    }
    return {};
  }

  const Proof& proof_;
  ProofData& data_;
  ProofRange range_;  // everything where the proof has none
  const ProofClaim* claim_ = nullptr;
  CheckedProof checked_;
  std::vector<Section> sections_;       // of the records so far
  std::map<Cid, size_t> section_of_;
  std::set<std::string> paths_;
  size_t used_pieces_ = 0;
  std::vector<uint8_t> buffer_;
  ByteSpan block_;         // of the step at hand
  bool is_first_ = false;  // and whether its record is the last one taken
};

}  // namespace

Result<CheckedProof> check_proof(ByteSpan bytes, ProofData& data) {
  PIECEWORK_ASSIGN(const Proof proof, decode_proof(bytes));
  ProofCheck check(proof, data);
  Result<CheckedProof> checked = check.run();
  if (!checked) {
    // A path that leads nowhere, or a range that is not there: whoever makes a proof asked for it, here it is a no.
    Error& error = checked.error();
    const bool is_no = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
    if (is_no) error.code = ErrorCode::kCorrupt;
    if (is_no) error.side = ErrorSide::kSource;
  }
  if (checked) {
    for (const ProofPiece& piece : proof.pieces) {
      checked->piece_cids_v2.push_back(piece_cid_v2_text(piece.root, piece.payload_bytes));
    }
  }
  return checked;
}

}  // namespace piecework::engine
