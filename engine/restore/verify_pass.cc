// See verify_pass.h.
#include "engine/restore/verify_pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/piece/piece_size.h"
#include "engine/piece/segment_tree.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

// Enough blocks to fill every lane of the widest kernel, and enough bytes for a task to be worth its start.
constexpr size_t kGroupBlocksMin = 16;
constexpr uint64_t kGroupBytesMin = 256 * kKiB;

// CAR sections are read with room for any CID; here is what a block alone may be.
static_assert(kCidBytesMax <= io::kCarCidBytesMax);

}  // namespace

VerifyPass::VerifyPass(std::string piece, BlockIndex& index, VerifyReport& report)
    : piece_(std::move(piece)), index_(index), report_(report) {}

Status VerifyPass::take(const io::CarBatch& batch) {
  hashed_.clear();
  jobs_.clear();
  for (const io::CarSection& section : batch.sections) PIECEWORK_TRY(take_section(section));
  // Only now do the digests have their final addresses.
  for (size_t i = 0; i < jobs_.size(); ++i) jobs_[i].digest = hashed_[i].digest.data();
  cut_groups();
  take_segments(batch.fresh_bytes);
  return {};
}

Status VerifyPass::take_section(const io::CarSection& section) {
  ++block_count_;
  Result<CarBlock> block = decode_car_block(section.bytes);
  if (!block) {
    add_problem(finding::kCid, nullptr, section.offset_bytes, "a CID", block.error().message);
    return {};
  }
  if (block->data.size() > io::kCarBlockBytesMax) {
    add_problem(finding::kFraming, &block->cid, section.offset_bytes,
                fmt::format("a block of at most {} bytes", io::kCarBlockBytesMax),
                fmt::format("{} bytes", block->data.size()));
  } else if (section.bytes.size() > io::kCarUsualSectionBytesMax) {
    add_warning(finding::kLargeBlock, block->cid, section.offset_bytes,
                fmt::format("at most {} bytes, or other tools refuse it", io::kCarUsualSectionBytesMax),
                fmt::format("a section of {} bytes", section.bytes.size()));
  }
  check_digest(*block, section.offset_bytes);
  const NodeFacts facts = inspect(*block, section.offset_bytes);
  BlockEntry entry;
  entry.key = block_key(block->cid.bytes);
  entry.content_bytes = facts.content_bytes;
  if (section.offset_bytes > kCarOffsetMax) {
    return fail(ErrorCode::kUnsupported, ErrorSide::kSource, fmt::format("{}: over 256 TiB", printable(piece_)));
  }
  entry.offset_bytes = section.offset_bytes & kCarOffsetMax;
  entry.kind = static_cast<uint8_t>(facts.kind) & 15;
  entry.fanout_bits = facts.fanout_bits & 15;
  entry.has_links = facts.has_links ? 1 : 0;
  return index_.append(entry);
}

NodeFacts VerifyPass::inspect(const CarBlock& block, uint64_t offset_bytes) {
  Result<NodeFacts> facts = inspect_node(block.cid, block.data);
  if (!facts) {
    add_problem(finding::kNode, &block.cid, offset_bytes, "a well-formed node", facts.error().message);
    return {.kind = BlockKind::kBroken};
  }
  if (facts->restore_warning != nullptr) {
    const bool is_opaque = facts->kind == BlockKind::kUnknownCodec;
    const bool is_symlink = facts->kind == BlockKind::kSymlink;
    add_warning(is_opaque    ? finding::kNotFollowed
                : is_symlink ? finding::kName
                             : finding::kNotUnixfs,
                block.cid, offset_bytes, "a node that can be restored", facts->restore_warning);
  }
  return *facts;
}

// sha2-256 is left to the tasks, which hash many blocks at once.
void VerifyPass::check_digest(const CarBlock& block, uint64_t offset_bytes) {
  if (block.cid.is_sha256()) {
    hashed_.push_back({block.cid, offset_bytes, {}});
    jobs_.push_back({block.data.data(), block.data.size(), nullptr});
    return;
  }
  const Status status = check_block_digest(block.cid, block.data);
  if (status) return;
  const bool is_unknown = status.error().code == ErrorCode::kUnsupported;
  add_problem(is_unknown ? finding::kCid : finding::kDigest, &block.cid, offset_bytes,
              is_unknown ? "a hash function that can be checked" : to_hex(block.cid.multihash.digest),
              status.error().message);
}

void VerifyPass::cut_groups() {
  groups_.clear();
  Group group;
  uint64_t group_bytes = 0;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    group.end = i + 1;
    group_bytes += jobs_[i].data_bytes;
    if (group.end - group.begin < kGroupBlocksMin || group_bytes < kGroupBytesMin) continue;
    groups_.push_back(group);
    group = {i + 1, i + 1};
    group_bytes = 0;
  }
  if (group.end > group.begin) groups_.push_back(group);
}

void VerifyPass::take_segments(ByteSpan fresh_bytes) {
  segments_.clear();
  car_bytes_ += fresh_bytes.size();
  if (!pending_.empty()) {
    const size_t missing_bytes = std::min(static_cast<size_t>(kSegmentBytes) - pending_.size(), fresh_bytes.size());
    pending_.insert(pending_.end(), fresh_bytes.begin(), fresh_bytes.begin() + static_cast<ptrdiff_t>(missing_bytes));
    fresh_bytes = fresh_bytes.subspan(missing_bytes);
    if (pending_.size() < kSegmentBytes) return;
    straddling_.swap(pending_);
    pending_.clear();
    segments_.push_back(straddling_.data());
  }
  while (fresh_bytes.size() >= kSegmentBytes) {
    segments_.push_back(fresh_bytes.data());
    fresh_bytes = fresh_bytes.subspan(kSegmentBytes);
  }
  pending_.assign(fresh_bytes.begin(), fresh_bytes.end());
  batch_roots_.resize(segments_.size());
}

void VerifyPass::run_task(size_t task_index) {
  if (task_index < segments_.size()) {
    batch_roots_[task_index] = segment_root(segments_[task_index]);
    return;
  }
  const Group group = groups_[task_index - segments_.size()];
  kernels::hash_many({jobs_.data() + group.begin, group.end - group.begin});
}

void VerifyPass::settle() {
  for (const Hashed& hashed : hashed_) {
    if (std::ranges::equal(hashed.cid.multihash.digest, hashed.digest)) continue;
    add_problem(finding::kDigest, &hashed.cid, hashed.offset_bytes, to_hex(hashed.cid.multihash.digest),
                to_hex(hashed.digest));
  }
  segment_roots_.insert(segment_roots_.end(), batch_roots_.begin(),
                        batch_roots_.begin() + static_cast<ptrdiff_t>(segments_.size()));
}

void VerifyPass::finish(CarFacts& facts) const {
  facts.car_bytes = car_bytes_;
  facts.block_count = block_count_;
  facts.segment_roots = segment_roots_;
  if (!pending_.empty() || car_bytes_ == 0) {
    facts.segment_roots.push_back(subtree_root(pending_, segment_tree_height(car_bytes_)));
  }
  PIECEWORK_CHECK(facts.segment_roots.size() == segment_count(car_bytes_));
  facts.padded_bytes = padded_bytes_for(car_bytes_);
  facts.commp = piece_root(facts.segment_roots, car_bytes_);
}

void VerifyPass::add_problem(const char* kind, const CidView* cid, uint64_t offset_bytes, std::string expected,
                             std::string actual) {
  report_.problems.add({.kind = kind,
                        .piece = piece_,
                        .cid = cid == nullptr ? std::string() : cid_text(cid->bytes),
                        .offset_bytes = offset_bytes,
                        .expected = std::move(expected),
                        .actual = std::move(actual)});
}

void VerifyPass::add_warning(const char* kind, const CidView& cid, uint64_t offset_bytes, std::string expected,
                             std::string actual) {
  report_.warnings.add({.kind = kind,
                        .piece = piece_,
                        .cid = cid_text(cid.bytes),
                        .offset_bytes = offset_bytes,
                        .expected = std::move(expected),
                        .actual = std::move(actual)});
}

}  // namespace piecework::engine
