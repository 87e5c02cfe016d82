// See repair.h.
#include "engine/restore/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/plan/check_sources.h"
#include "engine/record/batch_state.h"
#include "engine/record/external_list.h"
#include "engine/restore/set_aside.h"
#include "engine/restore/verify_directory.h"

namespace piecework::engine {
namespace {

constexpr size_t kFindingsMax = 20;

VerifyOptions verify_options(const RepairRequest& request) {
  VerifyOptions options;
  options.thread_count = request.thread_count;
  options.memory_bytes = request.verify_memory_bytes;
  options.expect_cars = request.store_car;
  options.stop = request.stop;
  options.done_bytes = request.done_bytes;
  return options;
}

std::string plan_path(const RepairRequest& request, const std::string& digest) {
  return fmt::format("{}/plans/{}", request.directory, digest);
}

// Which files a report finds fault with, by kind of finding.
using Faults = std::map<std::string, std::set<std::string>>;

Faults faults_of(const VerifyReport& report) {
  Faults faults;
  for (const VerifyFinding& found : report.problems.kept()) faults[found.piece].insert(found.kind);
  return faults;
}

// A file is not damaged because another one that describes it is. A damaged receipt speaks against nothing but itself;
// a damaged tree or list of external blocks not against the CAR.
void keep_witnessed(const FoundReceipt& found, const std::string& directory, const Receipt& receipt, Faults& faults) {
  if (faults.contains(found.path)) {
    std::erase_if(faults, [&found](const auto& fault) { return fault.first != found.path; });
    return;
  }
  const auto car = faults.find(fmt::format("{}/{}", directory, car_name(receipt.piece_cid_v1)));
  if (car == faults.end()) return;
  if (faults.contains(fmt::format("{}/{}", directory, tree_name(receipt.piece_cid_v1)))) {
    car->second.erase(finding::kTree);
  }
  if (faults.contains(fmt::format("{}/{}", found.plan_path, external_list_name(receipt.batch)))) {
    car->second.erase(finding::kMissingBlock);
  }
  // A CAR that is what its name says is right; where the receipt says otherwise of it, the receipt is wrong.
  if (car->second == std::set<std::string>{finding::kReceipt}) {
    faults[found.path].insert(finding::kReceipt);
    car->second.clear();
  }
  if (car->second.empty()) faults.erase(car);
}

std::string line_of(const VerifyFinding& found) {
  std::string line = fmt::format("{}: {}", found.kind, found.piece);
  if (found.offset_bytes) line += fmt::format(", byte {}", *found.offset_bytes);
  if (!found.path.empty()) line += fmt::format(", '{}'", found.path);
  if (!found.cid.empty()) line += ", " + found.cid;
  return line;
}

// Why the batch cannot be packed again here; "" where it can.
Result<std::string> why_not_rebuilt(const RepairRequest& request, const std::string& digest, uint32_t batch) {
  const auto plan = PlanReader::open(plan_path(request, digest));
  if (!plan) return plan.error().message;
  const PlanSummary& summary = (*plan)->summary();
  if (summary.digest_text() != digest) return fmt::format("the plan kept there has digest {}", summary.digest_text());
  if (batch >= summary.batches.size()) return std::string("the plan has no such batch");
  const Result<SourceSet> sources = open_planned_sources(summary, request.sources);
  if (!sources && sources.error().code == ErrorCode::kCancelled) return tl::unexpected<Error>(sources.error());
  if (!sources) return sources.error().message;
  const Status checked = check_batch_sources(**plan, batch, *sources, request.thread_count, request.stop);
  if (!checked && checked.error().code == ErrorCode::kCancelled) return tl::unexpected<Error>(checked.error());
  return checked ? std::string() : checked.error().message;
}

// What verify finds wrong with one receipt's batch; none where nothing is.
Result<std::optional<BatchRepair>> look_at(const RepairRequest& request, const FoundReceipt& found,
                                           bool reads_content) {
  VerifyReport report;
  PIECEWORK_TRY(verify_receipt(request.directory, found, reads_content, verify_options(request), report));
  if (report.ok()) return std::nullopt;
  Faults faults = faults_of(report);
  if (found.receipt) keep_witnessed(found, request.directory, *found.receipt, faults);
  BatchRepair repair;
  repair.plan_digest = found.plan;
  if (found.receipt) repair.piece_cid_v1 = found.receipt->piece_cid_v1;
  for (const auto& [path, kinds] : faults) {
    if (kinds.contains(finding::kUnreadable)) continue;  // a disk that does not answer is not repaired by renaming
    (kinds.contains(finding::kMissingFile) ? repair.missing : repair.damaged).push_back(path);
  }
  for (const VerifyFinding& problem : report.problems.kept()) {
    if (repair.findings.size() < kFindingsMax) repair.findings.push_back(line_of(problem));
  }
  repair.batch = found.batch.value_or(0);
  if (!found.batch) {
    repair.why_not = "the receipt's name is not that of a batch";
  } else {
    PIECEWORK_ASSIGN(repair.why_not, why_not_rebuilt(request, found.plan, *found.batch));
  }
  return repair;
}

// Whether the batch is whole now.
Result<std::string> verify_again(const RepairRequest& request, const BatchRepair& repair) {
  const std::string folder = fmt::format("{}/receipts/{}", request.directory, repair.plan_digest);
  const std::string name = receipt_name(repair.batch);
  const std::string path = folder + "/" + name;
  const FoundReceipt found{{repair.plan_digest, folder, name, path, repair.batch}, read_receipt_file(path)};
  VerifyReport report;
  PIECEWORK_TRY(verify_receipt(request.directory, found, /*reads_content=*/true, verify_options(request), report));
  return report.ok() ? std::string() : "what was made again is not right: " + line_of(report.problems.kept().front());
}

Status pack_again(const RepairRequest& request, const BatchRepair& repair) {
  PackRequest pack;
  pack.sources = request.sources;
  pack.plan_path = plan_path(request, repair.plan_digest);
  pack.batches = {repair.batch};
  pack.output_path = request.directory;
  pack.store_car = request.store_car;
  pack.thread_count = request.thread_count;
  pack.memory_bytes = request.memory_bytes;
  pack.stop = request.stop;
  const auto packed = run_pack_job(pack);
  return packed ? Status() : tl::unexpected<Error>(packed.error());
}

}  // namespace

Result<std::vector<BatchRepair>> find_repairs(const RepairRequest& request) {
  std::vector<BatchRepair> repairs;
  std::set<std::string> pieces;  // a piece that several receipts name is read once
  PIECEWORK_TRY(visit_receipts(request.directory, [&](const FoundReceipt& found) -> Status {
    const bool is_new = !found.receipt || pieces.insert(found.receipt->piece_cid_v1).second;
    PIECEWORK_ASSIGN(std::optional<BatchRepair> repair, look_at(request, found, is_new));
    if (repair) repairs.push_back(std::move(*repair));
    return {};
  }));
  return repairs;
}

Status apply_repair(const RepairRequest& request, BatchRepair& repair) {
  SetAside files;
  const auto failed = [&repair](std::string why) {
    repair.outcome = BatchRepair::Outcome::kFailed;
    repair.error = std::move(why);
  };
  const auto give_back = [&](const Error& cause) -> Status {
    failed(cause.message);
    repair.cause = cause;
    PIECEWORK_TRY(files.give_back());
    repair.set_aside = files.names();
    return {};
  };
  for (const std::string& path : repair.damaged) {
    if (Status moved = files.add(path); !moved) return give_back(moved.error());
  }
  if (!repair.can_rebuild()) {
    repair.outcome = BatchRepair::Outcome::kSetAside;
    repair.set_aside = files.names();
    return {};
  }
  Status packed = pack_again(request, repair);
  if (!packed) {
    // A stop leaves the damaged files beside their places, as a kill would: the next repair goes on.
    if (packed.error().code == ErrorCode::kCancelled) return packed;
    return give_back(packed.error());
  }
  PIECEWORK_ASSIGN(std::string wrong, verify_again(request, repair));
  if (!wrong.empty()) {
    failed(std::move(wrong));
    repair.set_aside = files.names();
    return {};
  }
  for (const std::string& path : repair.missing) files.adopt(path);
  PIECEWORK_TRY(files.remove());
  repair.outcome = BatchRepair::Outcome::kRebuilt;
  return {};
}

}  // namespace piecework::engine
