#include "engine/deal/deal_price.h"

#include <fmt/format.h>

#include "engine/deal/network.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kEpochsPerMonth = uint64_t{30} * kEpochsPerDay;

}  // namespace

Result<DealPrice> price_of(AttoFil per_gib_epoch, uint64_t padded_bytes, Epoch duration_epochs) {
  PIECEWORK_CHECK(padded_bytes > 0 && duration_epochs > 0);
  DealPrice price;
  PIECEWORK_ASSIGN(price.per_epoch, scale_up(per_gib_epoch, padded_bytes, kGiB));
  PIECEWORK_ASSIGN(price.total, multiply(price.per_epoch, static_cast<uint64_t>(duration_epochs)));
  PIECEWORK_ASSIGN(const AttoFil month, multiply(price.per_epoch, kEpochsPerMonth));
  PIECEWORK_ASSIGN(price.per_tib_month, scale_up(month, kTiB, padded_bytes));
  return price;
}

Status check_price(const DealPrice& planned, uint64_t padded_bytes, Epoch start_epoch, Epoch end_epoch,
                   AttoFil signed_per_epoch) {
  const auto disagree = [&](std::string_view what) {
    return fail(ErrorCode::kConflict, ErrorSide::kInternal,
                fmt::format("prices disagree: planned {} attoFIL per epoch and {} in total, signed {} per epoch for "
                            "epochs {} to {}: {}; nothing was sent",
                            planned.per_epoch.text(), planned.total.text(), signed_per_epoch.text(), start_epoch,
                            end_epoch, what));
  };
  if (end_epoch <= start_epoch) return disagree("it ends before it starts");
  const AttoFil::Wide epochs = static_cast<AttoFil::Wide>(end_epoch - start_epoch);
  if (planned.total.atto() % epochs != 0 || planned.total.atto() / epochs != signed_per_epoch.atto()) {
    return disagree("the total is not the signed price over all epochs");
  }
  PIECEWORK_ASSIGN(const AttoFil month, multiply(signed_per_epoch, kEpochsPerMonth));
  PIECEWORK_ASSIGN(const AttoFil per_tib_month, scale_up(month, kTiB, padded_bytes));
  if (per_tib_month != planned.per_tib_month) return disagree("the price for a TiB and month is another");
  return {};
}

}  // namespace piecework::engine
