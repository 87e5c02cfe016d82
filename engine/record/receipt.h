// A receipt: what a finished batch says about itself, written last and the only mark of "done".
//
// receipts/<plan digest>/<batch>.json in the output directory. No time and no host in it: the same plan gives the same
// bytes. Described in engine/FORMATS.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/plan/plan_file.h"
#include "engine/record/file_table.h"
#include "io/publish.h"

namespace piecework::engine {

// A subtree of an item that is larger than a piece; see PlannedPart.
struct ReceiptPart {
  std::string path;
  std::string item_path;
  std::string cid;
};

struct Receipt {
  std::string plan_digest;
  uint32_t batch = 0;
  std::vector<std::string> source_names;
  std::string piece_cid_v1;
  std::string piece_cid_v2;
  std::string root_cid;
  uint64_t payload_bytes = 0;
  uint64_t padded_bytes = 0;
  uint64_t block_count = 0;
  uint64_t file_count = 0;
  std::vector<SkippedItem> skipped;
  std::vector<ReceiptPart> parts;
  bool codec_guessed = false;    // roots were found in a store that does not know codecs (--all-blocks)
  uint64_t external_count = 0;  // blocks that the CAR links to and does not hold
  SidecarContent external;      // the list of them, where there are any
  SidecarContent tree;
  SidecarContent nodes;
  SidecarContent files;

  bool operator==(const Receipt& other) const { return to_json() == other.to_json(); }
  // The file's text; keys in a fixed order.
  std::string to_json() const;
};

// Strict: unknown formats, missing keys and wrong types are kCorrupt (config). `name` is for messages.
Result<Receipt> parse_receipt(std::string_view text, std::string_view name);

// "receipts/<plan digest>", made where it is missing.
Result<io::OutputDirectory> receipts_directory(const io::OutputDirectory& output, const std::string& plan_digest);
// The receipt of `batch` of the plan `plan_digest`, or none. Errors: kCorrupt (config) where the file is no receipt, or
// names another plan or batch than its place does.
Result<std::optional<Receipt>> read_receipt(const io::OutputDirectory& receipts, const std::string& plan_digest,
                                            uint32_t batch);
// The receipt in the file `path`, wherever it lies. Errors (source): of reading; kCorrupt.
Result<Receipt> read_receipt_file(const std::string& path);
std::string receipt_name(uint32_t batch);

// What a receipt names as skipped that the plan does not: left out when the batch was packed. Ascending by path.
std::vector<SkippedItem> left_out_of(const Receipt& receipt, const PlanSummary& plan);

}  // namespace piecework::engine
