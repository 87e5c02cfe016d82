// The options of a plan: no text may do more than be refused; what parses must come back from its own text.
#include <cstdlib>
#include <string>

#include "engine/plan/plan_summary.h"

using namespace piecework;
using namespace piecework::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  PlanSummary summary;
  if (!options_from_json(std::string(as_text(ByteSpan(data, length))), summary)) return 0;
  const std::string text = options_to_json(summary);
  PlanSummary again;
  if (!options_from_json(text, again) || options_to_json(again) != text) std::abort();
  return 0;
}
