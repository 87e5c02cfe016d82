// See export_dag.h.
#include "engine/restore/export_dag.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"
#include "io/publish.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr size_t kBufferBytes = 4 * kMiB;

// Writes each block where the walk meets it.
class Exporter final : public DagVisitor {
 public:
  Exporter(BlockStore& store, io::PublishedFile& file, std::atomic<uint64_t>* done_bytes)
      : store_(store), file_(file), done_bytes_(done_bytes) {}

  bool is_known(const CidView& cid) override { return known_.find(cid.bytes).has_value(); }
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool /*known*/) override {
    status_ = put_block(block);
    return status_.has_value();
  }

  void put_header(const Cid& root) {
    buffer_.resize(car_v1_header_bytes(root.bytes().size()));
    encode_car_v1_header(buffer_.data(), root.bytes());
  }

  Result<ExportedDag> finish() {
    PIECEWORK_TRY(std::move(status_));
    PIECEWORK_TRY(flush());
    return ExportedDag{known_.size(), written_bytes_};
  }

 private:
  Status put_block(const VisitedBlock& block) {
    known_.add(block.cid.bytes, 0);
    data_.assign(block.cid.multihash.digest.begin(), block.cid.multihash.digest.end());
    if (!block.is_inline) {
      PIECEWORK_TRY(store_.read(block.cid, block.place, data_));
      const Status checked = check_block_digest(block.cid, data_);
      if (!checked) {
        Error error = checked.error();
        error.message = fmt::format("{}: {}", store_.describe(block.cid, block.place), error.message);
        return tl::unexpected<Error>(std::move(error));
      }
    }
    std::array<uint8_t, kVarintBytesMax> length;
    uint8_t* length_end = encode_varint(length.data(), block.cid.bytes.size() + data_.size());
    buffer_.insert(buffer_.end(), length.data(), length_end);
    buffer_.insert(buffer_.end(), block.cid.bytes.begin(), block.cid.bytes.end());
    buffer_.insert(buffer_.end(), data_.begin(), data_.end());
    return buffer_.size() < kBufferBytes ? Status() : flush();
  }

  Status flush() {
    PIECEWORK_TRY(file_.write(buffer_, written_bytes_));
    written_bytes_ += buffer_.size();
    if (done_bytes_ != nullptr) *done_bytes_ += buffer_.size();
    buffer_.clear();
    return {};
  }

  BlockStore& store_;
  io::PublishedFile& file_;
  std::atomic<uint64_t>* done_bytes_;
  CidMap known_;
  std::vector<uint8_t> data_;
  std::vector<uint8_t> buffer_;
  uint64_t written_bytes_ = 0;
  Status status_;
};

tl::unexpected<Error> exists(const std::string& path) {
  return fail(ErrorCode::kNoSpace, ErrorSide::kDestination,
              fmt::format("'{}' exists and is not overwritten", printable(path)));
}

}  // namespace

Result<ExportedDag> export_dag(BlockStore& store, const Cid& root, const std::string& path,
                               const std::atomic<bool>* stop, std::atomic<uint64_t>* done_bytes) {
  const std::filesystem::path target(path);
  const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
  PIECEWORK_ASSIGN(const io::OutputDirectory directory, io::OutputDirectory::open_or_create(folder));
  const std::string name = target.filename().string();
  PIECEWORK_TRY(io::check_file_name(name));
  PIECEWORK_ASSIGN(const std::optional<io::FileStamp> there, directory.try_stamp(name));
  if (there) return exists(path);
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(directory, "export"));
  Exporter exporter(store, file, done_bytes);
  exporter.put_header(root);
  PIECEWORK_TRY(walk_stored_dag(store, root, {}, {.stop = stop}, exporter));
  PIECEWORK_ASSIGN(const ExportedDag exported, exporter.finish());
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(name));
  if (outcome == io::CommitOutcome::kAlreadyExists) return exists(path);
  return exported;
}

}  // namespace piecework::engine
