#include "engine/record/batch_state.h"

#include "engine/record/join_parts.h"

#include "engine/record/external_list.h"

namespace piecework::engine {

std::string car_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".car"; }
std::string tree_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".tree"; }
std::string nodes_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".nodes"; }
std::string files_name(const std::string& piece_cid_v1) { return piece_cid_v1 + ".files.ndjson.zst"; }

Result<bool> is_done(const io::OutputDirectory& output, const io::OutputDirectory& receipts, const Receipt& receipt,
                     bool store_car) {
  if (receipt.external_count > 0) {
    PIECEWORK_ASSIGN(const std::optional<io::File> list, receipts.try_open(external_list_name(receipt.batch)));
    if (!list) return false;
  }
  for (const std::string& name :
       {tree_name(receipt.piece_cid_v1), nodes_name(receipt.piece_cid_v1), files_name(receipt.piece_cid_v1)}) {
    PIECEWORK_ASSIGN(const std::optional<io::File> file, output.try_open(name));
    if (!file) return false;
  }
  if (!store_car) return true;
  PIECEWORK_ASSIGN(const std::optional<io::File> car, output.try_open(car_name(receipt.piece_cid_v1)));
  if (!car) return false;
  PIECEWORK_ASSIGN(const io::FileStamp stamp, car->stamp());
  return stamp.size_bytes == receipt.payload_bytes;
}

Result<BatchStates> BatchStates::open(const std::string& output_path, const std::string& plan_digest, bool store_car) {
  BatchStates states(plan_digest, store_car);
  PIECEWORK_ASSIGN(states.output_, io::OutputDirectory::try_open_directory(output_path));
  if (!states.output_) return states;
  PIECEWORK_ASSIGN(const std::optional<io::OutputDirectory> receipts, states.output_->try_subdirectory("receipts"));
  if (!receipts) return states;
  PIECEWORK_ASSIGN(states.receipts_, receipts->try_subdirectory(plan_digest));
  return states;
}

Result<std::optional<Receipt>> BatchStates::done_receipt(uint32_t batch) const {
  if (!receipts_) return std::nullopt;
  PIECEWORK_ASSIGN(std::optional<Receipt> receipt, read_receipt(*receipts_, plan_digest_, batch));
  if (!receipt) return std::nullopt;
  PIECEWORK_ASSIGN(const bool done, is_done(*output_, *receipts_, *receipt, store_car_));
  if (!done) return std::nullopt;
  return receipt;
}

Result<std::vector<uint32_t>> BatchStates::missing(const std::vector<uint32_t>& batches) const {
  std::vector<uint32_t> missing;
  for (const uint32_t batch : batches) {
    PIECEWORK_ASSIGN(const std::optional<Receipt> receipt, done_receipt(batch));
    if (!receipt) missing.push_back(batch);
  }
  return missing;
}

Result<bool> BatchStates::is_waiting(const PlanSummary& plan, uint32_t batch) const {
  const PlannedBatch& join = plan.batches[batch];
  if (!join.is_file_join()) return false;
  if (!receipts_) return true;
  PIECEWORK_ASSIGN(const std::vector<JoinPart> parts, read_join_parts(plan, join, *receipts_));
  return first_missing(parts) != nullptr;
}

}  // namespace piecework::engine
