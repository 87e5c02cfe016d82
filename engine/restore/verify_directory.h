// Checks an output directory of `pack`: every receipt, what it says about its piece, and CARs that no receipt names.
// Source: design.md 6, docs/formats.md 8; the files' formats are those of engine/record.
//
//   receipts/<plan digest>/<batch>.json -> <piece>.car, <piece>.tree, <piece>.nodes, <piece>.files.ndjson.zst
#pragma once

#include <string>

#include "engine/record/receipt_walk.h"
#include "engine/restore/verify.h"
#include "engine/restore/verify_report.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Goes through `path` and adds what it finds to `report`; a piece that several receipts name is read once. With
// options.quick no CAR and no compressed sidecar is read: existence and lengths, trees against piece CIDs, receipts.
// A file that cannot be read is a problem, not the end. Errors: kNotFound where the directory holds neither receipts
// nor CARs; kPermission, kIo of the directory itself; kResourceExhausted; kCancelled.
Status verify_directory(const std::string& path, const VerifyOptions& options, VerifyReport& report);

// The same for one receipt, and the piece that it names. `reads_content`: also the CAR and the compressed sidecars.
Status verify_receipt(const std::string& directory_path, const FoundReceipt& found, bool reads_content,
                      const VerifyOptions& options, VerifyReport& report);

}  // namespace piecework::engine
