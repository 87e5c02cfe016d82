// Whether a catalogue says of pieces what the pieces say themselves.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/record/catalogue_reader.h"

namespace piecework::engine {

// Reads the pieces in `directories` into a second catalogue in `scratch` (removed again) and compares what both say of
// each. Returns a line for each piece that differs or is not in the catalogue. Errors: as rebuild_from.
Result<std::vector<std::string>> compare_with_pieces(CatalogueReader& reader,
                                                     const std::vector<std::string>& directories,
                                                     const std::string& scratch, const std::atomic<bool>* stop);

}  // namespace piecework::engine
