// Receipts first, then each piece once, then CARs without a receipt; see verify_directory.h.
#include "engine/restore/verify_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "engine/record/receipt.h"
#include "engine/record/receipt_walk.h"
#include "engine/restore/verify_piece.h"
#include "io/list_names.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kCarSuffix = ".car";

// What a receipt says must agree with itself and with where it lies.
void check_facts(const Receipt& receipt, const FoundReceipt& found, VerifyReport& report) {
  const auto expect = [&](const char* kind, std::string expected, std::string actual) {
    if (expected == actual) return;
    report.problems.add(
        {.kind = kind, .piece = found.path, .expected = std::move(expected), .actual = std::move(actual)});
  };
  expect(finding::kReceipt, "plan " + found.plan, "plan " + receipt.plan_digest);
  expect(finding::kReceipt, found.name, receipt_name(receipt.batch));
  const Result<PieceCid> v1 = parse_piece_cid(receipt.piece_cid_v1);
  const Result<PieceCid> v2 = parse_piece_cid(receipt.piece_cid_v2);
  if (!v1 || v1->version != 1 || !v2 || v2->version != 2) {
    expect(finding::kReceipt, "a piece CID of version 1 and one of version 2",
           receipt.piece_cid_v1 + " and " + receipt.piece_cid_v2);
    return;
  }
  expect(finding::kReceipt, to_hex(v1->root), to_hex(v2->root));
  expect(finding::kReceipt, fmt::format("{} payload bytes", v2->payload_bytes),
         fmt::format("{} payload bytes", receipt.payload_bytes));
  expect(finding::kReceipt, fmt::format("{} padded bytes", v2->padded_bytes),
         fmt::format("{} padded bytes", receipt.padded_bytes));
}

class DirectoryVerification {
 public:
  DirectoryVerification(const std::string& path, const VerifyOptions& options, VerifyReport& report)
      : path_(path), options_(options), report_(report) {}

  Status run() {
    PIECEWORK_TRY(check_receipts());
    PIECEWORK_TRY(check_other_cars());
    if (report_.receipt_count > 0 || unclaimed_count_ > 0) return {};
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("{} holds neither receipts nor CARs", printable(path_)));
  }

 private:
  Status check_receipts() {
    return visit_receipts(path_, [this](const FoundReceipt& found) { return check_receipt(found); });
  }

  Status check_receipt(const FoundReceipt& found) {
    // What is named by the piece is the same for every receipt that names it; what a receipt says of it is not.
    const bool is_new = !found.receipt || pieces_.insert(found.receipt->piece_cid_v1).second;
    return verify_receipt(path_, found, is_new && !options_.quick, options_, report_);
  }

  Status check_other_cars() {
    PIECEWORK_ASSIGN(const std::vector<std::string> names, io::list_names(path_, kCarSuffix));
    for (const std::string& name : names) {
      if (pieces_.contains(name.substr(0, name.size() - kCarSuffix.size()))) continue;
      const std::string car_path = path_ + "/" + name;
      report_.warnings.add({.kind = finding::kNoReceipt, .piece = car_path, .expected = "a receipt", .actual = "none"});
      ++unclaimed_count_;
      if (options_.quick) continue;
      Result<CarFacts> facts = verify_car(car_path, options_, report_);
      if (!facts) PIECEWORK_TRY(absorb(std::move(facts.error()), finding::kFraming, car_path, report_));
    }
    return {};
  }

  const std::string& path_;
  const VerifyOptions& options_;
  VerifyReport& report_;
  std::set<std::string> pieces_;  // named by a receipt
  uint64_t unclaimed_count_ = 0;
};

}  // namespace

Status verify_receipt(const std::string& directory_path, const FoundReceipt& found, bool reads_content,
                      const VerifyOptions& options, VerifyReport& report) {
  ++report.receipt_count;
  if (!found.receipt) return absorb(found.receipt.error(), finding::kReceipt, found.path, report);
  check_facts(*found.receipt, found, report);
  return verify_piece({directory_path, found.path, found.plan_path, &*found.receipt, reads_content}, options, report);
}

Status verify_directory(const std::string& path, const VerifyOptions& options, VerifyReport& report) {
  return DirectoryVerification(path, options, report).run();
}

}  // namespace piecework::engine
