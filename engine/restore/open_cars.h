// CARs to restore from: those that were named, and all in the directories that were named.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/car_store.h"

namespace piecework::engine {

// Opens and scans them. `paths`: CARs, or directories, whose "*.car" are taken in the order of their names. Errors:
// those of CarStore::open; kNotFound (source) for a directory without CARs.
Result<std::unique_ptr<CarStore>> open_cars(const std::vector<std::string>& paths, const CarStoreOptions& options);

}  // namespace piecework::engine
