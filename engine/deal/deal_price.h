// What a deal costs, three ways that have to agree: for an epoch (what is signed), for its whole duration (what is
// paid), for a TiB and 30 days (what people compare).
//
// A proposal carries the price per epoch for the whole piece. Taking the total for it overpays by the number of epochs;
// so the three are worked out apart, and what was signed is checked against what was planned.
#pragma once

#include <cstdint>

#include "engine/deal/atto_fil.h"
#include "engine/deal/observation.h"

namespace piecework::engine {

struct DealPrice {
  AttoFil per_epoch;      // for the whole piece: StoragePricePerEpoch
  AttoFil total;          // over all epochs, without collateral
  AttoFil per_tib_month;  // for 1 TiB of padded piece and 30 days, rounded up
};

// `per_gib_epoch` is the offer for a GiB of padded piece and an epoch; the price of a piece is rounded up, so that it
// is never below the offer. REQUIRES: padded_bytes > 0, duration_epochs > 0. Errors: kInvalidArgument (config).
Result<DealPrice> price_of(AttoFil per_gib_epoch, uint64_t padded_bytes, Epoch duration_epochs);

// That a proposal with these terms costs just `planned`. Errors: kConflict (internal) where it does not.
Status check_price(const DealPrice& planned, uint64_t padded_bytes, Epoch start_epoch, Epoch end_epoch,
                   AttoFil signed_per_epoch);

}  // namespace piecework::engine
