// See build_proof.h.
#include "engine/proof/build_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/piece_cid.h"
#include "engine/proof/find_items.h"
#include "engine/proof/proof_tree.h"
#include "engine/proof/proof_walk.h"

namespace piecework::engine {
namespace {

class ProofMaker : public ProofWalkClient {
 public:
  ProofMaker(PieceSet& pieces, const std::optional<ProofRange>& range) : pieces_(pieces) {
    proof_.range = range;
    if (range) range_ = *range;
  }

  Result<BuiltProof> run(const FoundItems& found) {
    add_claims(found);
    ProofWalk walk(proof_.base, proof_.range, *this);
    for (size_t i = 0; i < claims_.size(); ++i) {
      preferred_ = claims_[i]->piece;
      if (claims_[i]->has_path) {
        PIECEWORK_ASSIGN(proof_.claims[i].piece, piece_number(preferred_));
      }
      PIECEWORK_TRY(walk.run(proof_.claims[i]));
    }
    for (size_t number = 0; number < used_pieces_.size(); ++number) PIECEWORK_TRY(finish_piece(number));
    return take();
  }

  Result<ProofNode> read(const ProofStep& step) override {
    block_.clear();
    place_.reset();
    has_block_ = true;
    const CidView cid = step.cid.view();
    if (cid.is_identity()) {
      block_.assign(cid.multihash.digest.begin(), cid.multihash.digest.end());
      return read_proof_node(cid, block_);
    }
    PIECEWORK_ASSIGN(place_, pieces_.find(step.cid, preferred_));
    if (!place_) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                  fmt::format("{} ('{}') is in none of the pieces", step.cid.text(), printable(*step.path)));
    }
    if (cid.codec == kCodecRaw) {  // where all of it is the data's, its bytes are not needed
      has_block_ = false;
      return raw_proof_node(place_->section.block_bytes);
    }
    PIECEWORK_TRY(read_block(step));
    return read_proof_node(cid, block_);
  }

  Status accept(const ProofStep& step, const ProofNode& node) override {
    PIECEWORK_TRY(check_versions(step, node));
    if (!place_ || !seen_.insert(step.cid).second) return {};
    const uint64_t block_bytes = place_->section.block_bytes;
    const ProofSplit split = split_block(step, node, block_bytes, range_);
    ProofRecord record{.car_offset_bytes = place_->section.car_offset_bytes, .data_bytes = split.data_bytes};
    PIECEWORK_ASSIGN(record.piece, piece_number(place_->piece));
    if (split.data_bytes < block_bytes) {
      if (!has_block_) PIECEWORK_TRY(read_block(step));
      record.before = keep(ByteSpan(block_).first(split.before_bytes));
      record.after = keep(ByteSpan(block_).subspan(split.before_bytes + split.data_bytes));
    }
    const uint64_t section_end_bytes = record.car_offset_bytes + place_->section.section_bytes;
    used_pieces_[record.piece].ranges.push_back({record.car_offset_bytes, section_end_bytes});
    proof_.records.push_back(record);
    return {};
  }

 private:
  struct UsedPiece {
    size_t piece = 0;  // in pieces_
    std::vector<PayloadRange> ranges;
  };

  ByteSpan keep(ByteSpan bytes) {
    if (bytes.empty()) return {};
    return kept_.emplace_back(bytes.begin(), bytes.end());
  }

  // Claims stand in the order of their paths, then of their roots.
  void add_claims(const FoundItems& found) {
    proof_.base.assign(found.base.begin(), found.base.end());
    for (const FoundItem& item : found.items) claims_.push_back(&item);
    const auto cid_of = [this](const FoundItem& item) {
      return item.has_path ? (*pieces_.open(item.piece))->root_cid() : item.cid;
    };
    std::sort(claims_.begin(), claims_.end(), [&](const FoundItem* a, const FoundItem* b) {
      return a->path != b->path ? a->path < b->path : cid_of(*a) < cid_of(*b);
    });
    for (const FoundItem* item : claims_) {
      ProofClaim claim{.has_path = item->has_path, .cid = keep(cid_of(*item).bytes())};
      claim.path.assign(item->path.begin(), item->path.end());
      proof_.claims.push_back(std::move(claim));
    }
  }

  Result<uint64_t> piece_number(size_t piece) {
    const auto [found, is_new] = number_of_.try_emplace(piece, used_pieces_.size());
    if (is_new) {
      PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(piece));
      used_pieces_.push_back({piece, {}});
      proof_.pieces.push_back({.root = files->root(), .payload_bytes = files->receipt().payload_bytes});
    }
    return found->second;
  }

  Status read_block(const ProofStep& step) {
    PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(place_->piece));
    PIECEWORK_ASSIGN(block_, files->read_block(step.cid, place_->section));
    has_block_ = true;
    return {};
  }

  // A directory may have a part in several pieces; the data can have only one content at each path.
  Status check_versions(const ProofStep& step, const ProofNode& node) {
    if (step.role != ProofRole::kEntry || claims_.size() < 2) return {};
    const bool is_directory = node.kind == ProofNodeKind::kDirectory || node.kind == ProofNodeKind::kHamtShard;
    const auto [found, is_new] = entries_.try_emplace(*step.path, is_directory ? Cid() : step.cid);
    if (is_new || found->second == (is_directory ? Cid() : step.cid)) return {};
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' has different content in different pieces: name one by its CID",
                            printable(*step.path)));
  }

  Status finish_piece(size_t number) {
    UsedPiece& used = used_pieces_[number];
    PIECEWORK_ASSIGN(PieceFiles* const files, pieces_.open(used.piece));
    const bool has_header = std::ranges::any_of(proof_.claims, [number](const ProofClaim& claim) {
      return claim.has_path && claim.piece == number;
    });
    if (has_header) used.ranges.push_back({0, car_v1_header_bytes(files->root_cid().bytes().size())});
    PIECEWORK_ASSIGN(const ProofTree tree, ProofTree::make(files->receipt().payload_bytes, std::move(used.ranges)));
    std::vector<uint8_t>& edges = kept_.emplace_back();
    for (const PayloadRange& range : tree.edges()) {
      const size_t before = edges.size();
      edges.resize(before + static_cast<size_t>(range.end_bytes - range.begin_bytes));
      PIECEWORK_TRY(files->read_payload(MutableByteSpan(edges).subspan(before), range.begin_bytes));
    }
    std::vector<uint8_t>& hashes = kept_.emplace_back();
    PIECEWORK_TRY(tree.visit_boundary([&](const TreeNode& node) -> Status {
      PIECEWORK_ASSIGN(const Digest32 root, files->subtree(node));
      hashes.insert(hashes.end(), root.begin(), root.end());
      return {};
    }));
    proof_.pieces[number].edge_bytes = edges;
    proof_.pieces[number].boundary_hashes = hashes;
    return {};
  }

  BuiltProof take() {
    BuiltProof built{.bytes = encode_proof(proof_), .section_count = proof_.records.size()};
    for (const ProofPiece& piece : proof_.pieces) {
      built.piece_cids_v2.push_back(piece_cid_v2_text(piece.root, piece.payload_bytes));
    }
    for (size_t i = 0; i < claims_.size(); ++i) {
      ProvenItem item{.has_path = claims_[i]->has_path, .cid = claims_[i]->cid};
      for (const std::string_view name : proof_.base) item.path += (item.path.empty() ? "" : "/") + std::string(name);
      for (const std::string& name : claims_[i]->path) item.path += (item.path.empty() ? "" : "/") + name;
      if (item.has_path) item.piece_cid_v2 = built.piece_cids_v2[proof_.claims[i].piece];
      built.items.push_back(std::move(item));
    }
    return built;
  }

  PieceSet& pieces_;
  Proof proof_;
  ProofRange range_;                        // everything where the proof has none
  std::vector<const FoundItem*> claims_;    // as proof_.claims
  std::deque<std::vector<uint8_t>> kept_;   // what proof_ points into
  std::vector<UsedPiece> used_pieces_;      // as proof_.pieces
  std::map<size_t, uint64_t> number_of_;    // of pieces in pieces_
  std::set<Cid> seen_;                      // that have a record
  std::map<std::string, Cid> entries_;      // of several items; empty CIDs for directories
  size_t preferred_ = 0;                    // the piece of the claim at hand
  std::optional<PieceSet::Place> place_;    // of the step at hand; none for an identity CID
  std::vector<uint8_t> block_;              // of the step at hand, where
  bool has_block_ = false;
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
  return ProofMaker(*pieces, request.range).run(found);
}

}  // namespace piecework::engine
