#include "engine/plan/stored_records.h"

#include <algorithm>

#include "engine/codec/block_links.h"
#include "engine/layout/node_lengths.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

// Turns visited blocks into records.
class RecordVisitor : public DagVisitor {
 public:
  RecordVisitor(CidMap& written, KnownLeftOut& left_out, OpaqueBlocks& opaque, const LayoutRecord& link,
                std::span<const uint32_t> file_sources, RecordSink* sink, LayoutTotals& totals)
      : written_(written),
        left_out_(left_out),
        opaque_(opaque),
        link_(link),
        file_sources_(file_sources),
        sink_(sink),
        totals_(totals) {}

  bool is_known(const CidView& cid) override { return written_.find(cid.bytes).has_value(); }
  bool wants_known() const override { return true; }

  bool visit(const VisitedBlock& block, bool known) override {
    if (block.external != StoredBlock::External::kNo) return leave_external(block);
    LayoutRecord record{.kind = RecordKind::kBlock, .is_reference = known, .name = block.name};
    record.child_count = known ? 0 : block.child_count;
    record.block_bytes = block.place.length_bytes;
    record.file_bytes = block.file_bytes;
    record.stored = {.role = block.role,
                     .is_dag_root = block.is_root,
                     .is_file_data = block.is_file_data,
                     .is_unread = block.is_unread,
                     .is_inline = block.is_inline,
                     .cid = block.cid.bytes,
                     .source_index = file_sources_[block.place.file_index],
                     .place_offset_bytes = block.place.offset_bytes};
    if (block.is_root) {
      record.name = link_.name;
      record.bucket = link_.bucket;
      record.tsize = block.tsize;
    }
    if (block.role == StoredBlock::Role::kFile) ++totals_.file_count;
    if (known) {
      record.stored.first_offset_bytes = *written_.find(block.cid.bytes);
      totals_.duplicate_bytes += block.place.length_bytes;
    } else {
      write(block);
      if (!is_walked_codec(block.cid.codec)) opaque_.add(block.cid);
    }
    if (sink_ != nullptr) sink_->record(record);
    return true;
  }

 private:
  bool leave_external(const VisitedBlock& block) {
    LayoutRecord record{.kind = RecordKind::kBlock};
    record.stored.cid = block.cid.bytes;
    record.stored.external = block.external;
    record.stored.external_batch = block.external_batch;
    if (block.external == StoredBlock::External::kKnown) left_out_.add(block.cid.bytes, block.tsize);
    ++totals_.external_count;
    if (sink_ != nullptr) sink_->record(record);
    return true;
  }

  void write(const VisitedBlock& block) {
    written_.add(block.cid.bytes, totals_.car_bytes);
    const uint64_t length_bytes =
        section_bytes(static_cast<uint32_t>(block.cid.bytes.size()), block.place.length_bytes);
    totals_.car_bytes += length_bytes;
    totals_.stored_section_bytes_max = std::max(totals_.stored_section_bytes_max, length_bytes);
    totals_.source_bytes += block.place.length_bytes;
    ++totals_.block_count;
  }

  CidMap& written_;
  KnownLeftOut& left_out_;
  OpaqueBlocks& opaque_;
  const LayoutRecord& link_;
  std::span<const uint32_t> file_sources_;
  RecordSink* sink_;
  LayoutTotals& totals_;
};

}  // namespace

void KnownLeftOut::add(ByteSpan cid, uint64_t tsize) {
  if (seen_.add(cid, 0)) bytes_ += std::min(tsize, UINT64_MAX - bytes_);  // a Tsize may be any number
}

void StoredRecords::add_root(const Cid& root, BlockStore& store, std::span<const uint32_t> file_sources,
                             ExternalBlocks* external) {
  const auto is_same = [&](const Origin& origin) {
    return origin.store == &store && origin.file_sources.data() == file_sources.data() && origin.external == external;
  };
  auto origin = std::find_if(origins_.begin(), origins_.end(), is_same);  // few: one for each store
  if (origin == origins_.end()) origin = origins_.insert(origin, {&store, file_sources, external});
  roots_.add(root.bytes(), static_cast<uint64_t>(origin - origins_.begin()));
}

void StoredRecords::emit(ByteSpan cid, const LayoutRecord& link, RecordSink* sink, LayoutTotals& totals) {
  if (!status_) return;
  const std::optional<uint64_t> index = roots_.find(cid);
  const auto root = decode_cid(cid);
  PIECEWORK_CHECK(index.has_value() && root.has_value());
  const Origin& origin = origins_[*index];
  RecordVisitor visitor(written_, known_, opaque_, link, origin.file_sources, sink, totals);
  DagWalkOptions options = options_;
  if (origin.external != nullptr) options.external = origin.external;
  status_ = walk_stored_dag(*origin.store, Cid(*root), link.name, options, visitor);
}

}  // namespace piecework::engine
