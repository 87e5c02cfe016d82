// Checks one piece in an output directory against its receipt: the files that carry its name, and what they hold.
#pragma once

#include <string>

#include "engine/record/receipt.h"
#include "engine/restore/verify.h"
#include "engine/restore/verify_report.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct PieceToVerify {
  const std::string& directory_path;
  const std::string& receipt_path;  // for findings
  const std::string& receipts_path;  // where the plan's other receipts lie
  const Receipt* receipt = nullptr;
  bool read_content = true;  // the CAR and the compressed sidecars; false: only their existence and lengths
};

// Errors: kResourceExhausted, kCancelled; everything else is a finding.
Status verify_piece(const PieceToVerify& piece, const VerifyOptions& options, VerifyReport& report);

// Turns the error of reading `path` into a problem, unless it must end the whole check (kResourceExhausted,
// kCancelled). `corrupt_kind` names the problem where the bytes are wrong, not the reading.
Status absorb(Error error, const char* corrupt_kind, const std::string& path, VerifyReport& report);

}  // namespace piecework::engine
