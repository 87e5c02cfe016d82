// Receipts and rows of tables of files: no input may do more than be refused; what parses as a receipt must come back
// from its own text.
#include <cstdint>
#include <cstdlib>

#include "engine/record/file_row.h"
#include "engine/record/receipt.h"

using namespace piecework;
using namespace piecework::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  const ByteSpan bytes(data, length);
  const auto ignore = [](std::string_view, const std::optional<FileRow>&) -> Status { return {}; };
  if (!visit_file_rows(bytes, ignore)) std::abort();
  const auto receipt = parse_receipt(as_text(bytes), "input");
  if (!receipt) return 0;
  const auto again = parse_receipt(receipt->to_json(), "text");
  if (!again || again->to_json() != receipt->to_json()) std::abort();
  return 0;
}
