// See build_proof.h.
#include "engine/proof/build_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/multibase.h"
#include "engine/codec/piece_cid.h"
#include "engine/proof/find_items.h"
#include "engine/proof/proof_tree.h"
#include "engine/proof/proof_walk.h"

namespace piecework::engine {
namespace {

class ProofMaker : public ProofWalkClient {
 public:
  ProofMaker(PieceSet& pieces, const ProofRequest& request) : pieces_(pieces), request_(request) {
    head_.range = request.range;
  }

  Result<BuiltProof> run(const FoundItems& found) {
    PIECEWORK_TRY(add_claims(found));
    writer_.head(head_);
    ProofWalk walk(head_, *this);
    for (size_t i = 0; i < claims_.size(); ++i) {
      preferred_ = claims_[i].item->piece;
      PIECEWORK_TRY(walk.run(head_.claims[i]));
    }
    PIECEWORK_TRY(write_pieces());
    built_.section_count = places_.size();
    built_.bytes = writer_.take();
    return std::move(built_);
  }

  Result<ProofNode> visit(const ProofStep& step) override {
    PIECEWORK_ASSIGN(const std::optional<PieceSet::Place> place, find(step));
    const CidView cid = step.cid.view();
    const bool is_raw = place && cid.codec == kCodecRaw;  // where all of it is the data's, its bytes are not needed
    if (!is_raw) PIECEWORK_TRY(read_block(step.cid, place));
    const uint64_t block_bytes = is_raw ? place->section.block_bytes : block_.size();
    PIECEWORK_ASSIGN(ProofNode node, is_raw ? Result<ProofNode>(raw_proof_node(block_bytes))
                                            : read_proof_node(cid, block_));
    const ProofSplit split = split_block(step, node, block_bytes, head_.range.value_or(ProofRange()));
    if (is_raw && split.data_bytes < block_bytes) PIECEWORK_TRY(read_block(step.cid, place));
    ProofRecord record{.data_bytes = split.data_bytes};
    if (split.data_bytes < block_bytes) {
      record.before = ByteSpan(block_).first(split.before_bytes);
      record.after = ByteSpan(block_).subspan(split.before_bytes + split.data_bytes);
    }
    writer_.record(record);
    PIECEWORK_TRY(check_size());
    return node;
  }

  // Files that stand at one path in several pieces must not differ.
  Status accept_entry(const ProofStep& step, const ProofNode& node, const std::vector<std::string>&) override {
    if (claims_.size() < 2) return {};
    const bool is_directory = node.kind == ProofNodeKind::kDirectory || node.kind == ProofNodeKind::kHamtShard;
    const auto [found, is_new] = entries_.try_emplace(*step.path, is_directory ? Cid() : step.cid);
    if (is_new || found->second == (is_directory ? Cid() : step.cid)) return {};
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' has different content in different pieces: name one by its CID",
                            printable(*step.path)));
  }

 private:
  struct Claim {
    const FoundItem* item = nullptr;
    Cid root;
    std::vector<uint64_t> route;
  };
  struct PlacedSection {
    uint64_t car_offset_bytes = 0;
    uint64_t section_bytes = 0;
    uint64_t number = 0;
  };
  struct UsedPiece {
    std::string cid_v2;
    std::vector<PlacedSection> sections;
    bool has_root = false;  // items begin at the root of its CAR
  };

  // In the order of roots and routes. Pieces with equal roots have equal DAGs: one of them stands for all.
  Status add_claims(const FoundItems& found) {
    for (const FoundItem& item : found.items) {
      Claim claim{.item = &item, .root = item.cid};
      if (item.has_path) {
        PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(item.piece));
        claim.root = files->root_cid();
        std::vector<std::string> names = found.base;
        names.insert(names.end(), item.path.begin(), item.path.end());
        PIECEWORK_ASSIGN(claim.route, find_route(claim.root, names, item.piece, pieces_));
      }
      claims_.push_back(std::move(claim));
    }
    std::sort(claims_.begin(), claims_.end(), [](const Claim& a, const Claim& b) {
      return a.root != b.root ? a.root < b.root : a.route < b.route;
    });
    head_.base_name_count = found.base.size();
    for (const Claim& claim : claims_) {
      head_.claims.push_back({claim.root.bytes(), claim.route});
      ProvenItem item{.has_path = claim.item->has_path, .cid = claim.item->cid};
      for (const std::string& name : found.base) item.path += (item.path.empty() ? "" : "/") + name;
      for (const std::string& name : claim.item->path) item.path += (item.path.empty() ? "" : "/") + name;
      if (item.has_path) {
        const size_t piece = root_pieces_.try_emplace(claim.root, claim.item->piece).first->second;
        PIECEWORK_ASSIGN(UsedPiece* const used, use_piece(piece));
        used->has_root = true;
        item.piece_cid_v2 = used->cid_v2;
      }
      built_.items.push_back(std::move(item));
    }
    return {};
  }

  Result<UsedPiece*> use_piece(size_t piece) {
    const auto [found, is_new] = used_pieces_.try_emplace(piece);
    if (is_new) {
      PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(piece));
      found->second.cid_v2 = piece_cid_v2_text(files->root(), files->receipt().payload_bytes);
    }
    return &found->second;
  }

  Status check_size() const {
    if (writer_.size() + kProofSealBytes <= request_.proof_bytes_max) return {};
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the proof of '{}' takes more than {} bytes, the most that one may have: prove its parts "
                            "(directories, files, ranges of files) one by one",
                            printable(request_.path_or_cid), request_.proof_bytes_max));
  }

  // Where the block lies: always the same place; none for an identity CID.
  Result<std::optional<PieceSet::Place>> find(const ProofStep& step) {
    if (step.cid.view().is_identity()) return std::optional<PieceSet::Place>();
    if (const auto known = places_.find(step.cid); known != places_.end()) return std::optional(known->second);
    PIECEWORK_ASSIGN(const std::optional<PieceSet::Place> place, pieces_.find(step.cid, preferred_));
    if (!place) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                  fmt::format("{} ('{}') is in none of the pieces", step.cid.text(), printable(*step.path)));
    }
    PIECEWORK_ASSIGN(UsedPiece* const used, use_piece(place->piece));
    used->sections.push_back({place->section.car_offset_bytes, place->section.section_bytes, places_.size()});
    places_.emplace(step.cid, *place);
    return place;
  }

  Status read_block(const Cid& cid, const std::optional<PieceSet::Place>& place) {
    if (!place) {
      const ByteSpan content = cid.view().multihash.digest;
      block_.assign(content.begin(), content.end());
      return {};
    }
    PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(place->piece));
    PIECEWORK_ASSIGN(block_, files->read_block(cid, place->section));
    return {};
  }

  Status write_pieces() {
    std::vector<std::pair<std::vector<uint8_t>, size_t>> order;
    for (const auto& [piece, used] : used_pieces_) order.emplace_back(*decode_multibase(used.cid_v2), piece);
    std::sort(order.begin(), order.end());
    writer_.number(order.size());
    for (const auto& [cid, piece] : order) {
      UsedPiece& used = used_pieces_[piece];
      std::sort(used.sections.begin(), used.sections.end(), [](const PlacedSection& a, const PlacedSection& b) {
        return a.car_offset_bytes < b.car_offset_bytes;
      });
      PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(piece));
      PIECEWORK_TRY(write_piece(used, *files));
      built_.piece_cids_v2.push_back(used.cid_v2);
    }
    return {};
  }

  Status write_piece(const UsedPiece& used, PieceFiles& files) {
    const uint64_t payload_bytes = files.receipt().payload_bytes;
    const ByteSpan root = files.root_cid().bytes();
    writer_.piece({files.root(), payload_bytes, used.has_root ? root : ByteSpan(), used.sections.size()});
    const BesideVisitor beside = {.bytes = [&](const PayloadRange& range) -> Status {
                                    block_.resize(static_cast<size_t>(range.end_bytes - range.begin_bytes));
                                    PIECEWORK_TRY(files.read_payload(block_, range.begin_bytes));
                                    writer_.raw(block_);
                                    return {};
                                  },
                                  .subtree = [&](const TreeNode& node) -> Status {
                                    PIECEWORK_ASSIGN(const Digest32 hash, files.subtree(node));
                                    writer_.raw(hash);
                                    return {};
                                  }};
    uint64_t at_bytes = used.has_root ? car_v1_header_bytes(root.size()) : 0;
    for (const PlacedSection& section : used.sections) {
      if (section.car_offset_bytes < at_bytes) {
        return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                    fmt::format("{}: sections overlap at {}", used.cid_v2, section.car_offset_bytes));
      }
      writer_.number(section.car_offset_bytes - at_bytes);
      PIECEWORK_TRY(visit_beside({at_bytes, section.car_offset_bytes}, beside));
      writer_.number(section.number);
      PIECEWORK_TRY(check_size());
      at_bytes = section.car_offset_bytes + section.section_bytes;
    }
    PIECEWORK_TRY(visit_rest(at_bytes, payload_bytes, beside));
    return check_size();
  }

  PieceSet& pieces_;
  const ProofRequest& request_;
  ProofHead head_;
  ProofWriter writer_;
  BuiltProof built_;
  std::vector<Claim> claims_;                   // as head_.claims
  std::map<Cid, size_t> root_pieces_;           // that stand for the root of a CAR
  std::map<size_t, UsedPiece> used_pieces_;     // by their place in pieces_
  std::map<Cid, PieceSet::Place> places_;       // of what was come to
  std::map<std::string, Cid> entries_;          // of several items; empty CIDs for directories
  size_t preferred_ = 0;                        // the piece of the claim at hand
  std::vector<uint8_t> block_;                  // of the step at hand
};

tl::unexpected<Error> not_found(const ProofRequest& request) {
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("'{}' is in none of the pieces, as a path or a CID", printable(request.path_or_cid)));
}

}  // namespace

Result<BuiltProof> build_proof(const ProofRequest& request, ItemLocator& locator) {
  PIECEWORK_ASSIGN(const std::vector<std::string> names, split_path(request.path_or_cid));
  PIECEWORK_ASSIGN(std::vector<PieceRecord> by_path, locator.find_path(request.path_or_cid));
  std::optional<PieceSet> pieces(std::in_place, std::move(by_path));
  PIECEWORK_ASSIGN(FoundItems found, find_path_items(names, *pieces));
  if (found.items.empty()) {
    const Result<Cid> cid = parse_cid(request.path_or_cid);
    if (!cid || cid->view().is_identity()) return not_found(request);
    PIECEWORK_ASSIGN(std::vector<PieceRecord> by_cid, locator.find_cid(*cid));
    pieces.emplace(std::move(by_cid));
    PIECEWORK_ASSIGN(found, find_cid_items(*cid, *pieces));
    if (found.items.empty()) return not_found(request);
  }
  if (request.range && (found.items.size() != 1 || !found.items[0].path.empty())) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' is a directory: a range is one of a file", printable(request.path_or_cid)));
  }
  return ProofMaker(*pieces, request).run(found);
}

}  // namespace piecework::engine
