// What an output directory says about a batch: the names of its files, and whether it is done.
//
// design.md, section 6: a batch is done when its receipt exists, its sidecars are there and, where CARs are stored, its
// CAR has `payload_bytes` bytes. No CAR and no sidecar is read here: whether they hold what they should is verify's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/plan/plan_summary.h"
#include "engine/record/receipt.h"
#include "io/publish.h"

namespace piecework::engine {

std::string car_name(const std::string& piece_cid_v1);    // "<piece>.car"
std::string tree_name(const std::string& piece_cid_v1);   // "<piece>.tree"
std::string nodes_name(const std::string& piece_cid_v1);  // "<piece>.nodes"
std::string files_name(const std::string& piece_cid_v1);  // "<piece>.files.ndjson.zst"

// Whether the files of a batch that has `receipt` are in `output` and, where its plan's receipts lie, in `receipts`.
// Its CAR counts where `store_car`. Errors: destination.
Result<bool> is_done(const io::OutputDirectory& output, const io::OutputDirectory& receipts, const Receipt& receipt,
                     bool store_car);

// Looks for the receipts of one plan in an output directory and changes nothing. Thread-compatible.
class BatchStates {
 public:
  // A directory that does not exist, or holds nothing of the plan, is one in which no batch is done.
  static Result<BatchStates> open(const std::string& output_path, const std::string& plan_digest, bool store_car);

  // The receipt of `batch` where that batch is done, else none. Errors: kCorrupt (config) where the receipt cannot be
  // read as one or is another plan's or batch's.
  Result<std::optional<Receipt>> done_receipt(uint32_t batch) const;
  // Those of `batches` that are not done, in the same order.
  Result<std::vector<uint32_t>> missing(const std::vector<uint32_t>& batches) const;
  // Whether `batch`, which is not done, has to wait for others of its plan: a file's join for the receipts of the
  // file's parts. Errors: as read_join_parts.
  Result<bool> is_waiting(const PlanSummary& plan, uint32_t batch) const;

 private:
  BatchStates(std::string plan_digest, bool store_car) : plan_digest_(std::move(plan_digest)), store_car_(store_car) {}

  std::string plan_digest_;
  bool store_car_;
  std::optional<io::OutputDirectory> output_;
  std::optional<io::OutputDirectory> receipts_;
};

}  // namespace piecework::engine
