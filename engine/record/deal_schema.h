// The tables of deals: version 2 of the catalogue. engine/FORMATS.md describes them.
//
// Three kinds of rows. What was decided and sent (policies, intents, attempts) never changes after it is written; what
// was seen (observations) is only added to; states, and the ids that a deal has, are worked out from both and kept
// beside them so that questions are fast. The database itself refuses changes to the first two, whoever asks.
#pragma once

namespace piecework::engine {

// The step from version 1, which had a table `deals` that nothing filled.
extern const char kDealTables[];

}  // namespace piecework::engine
