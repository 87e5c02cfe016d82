// Policy files: no input may do more than be refused, and what is accepted keeps the bounds that others rely on.
#include <cstdint>
#include <cstdlib>

#include "engine/deal/deal_policy.h"
#include "kernels/base/bytes.h"

using namespace piecework;
using namespace piecework::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  const auto policy = parse_deal_policy(as_text(ByteSpan(data, length)), "input");
  if (!policy) return 0;
  const bool is_bounded = policy->copies >= 1 && policy->copies <= kCopiesMax && policy->owners <= policy->copies &&
                          policy->regions <= policy->copies && !policy->providers.empty() &&
                          policy->providers.size() <= kPolicyProvidersMax &&
                          policy->renew_before_epochs < policy->duration_epochs;
  if (!is_bounded) std::abort();
  for (const PolicyProvider& provider : policy->providers) {
    if (provider.price_per_gib_epoch > policy->caps.price_per_gib_epoch) std::abort();
    if (policy->find_provider(provider.id) == nullptr) std::abort();
  }
  return 0;
}
