// See open_cars.h.
#include "engine/restore/open_cars.h"

#include <fmt/format.h>

#include "io/dir_reader.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kCarSuffix = ".car";

// Hidden names are temporaries of pack.
Status add_cars_in(const io::File& directory, std::vector<CarInput>& inputs) {
  PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(directory));
  const size_t count_before = inputs.size();
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const std::string_view name = listing.entry(i).name;
    if (name.starts_with('.') || !name.ends_with(kCarSuffix)) continue;
    inputs.push_back({.path = fmt::format("{}/{}", directory.path(), name), .spool = {}});
  }
  if (inputs.size() > count_before) return {};
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("'{}' is a directory without CARs", printable(directory.path())));
}

}  // namespace

Result<std::unique_ptr<CarStore>> open_cars(const std::vector<std::string>& paths, const CarStoreOptions& options) {
  std::vector<CarInput> inputs;
  for (const std::string& path : paths) {
    PIECEWORK_ASSIGN(const io::File opened, io::open_named(path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, opened.stamp());
    if (stamp.is_directory()) {
      PIECEWORK_TRY(add_cars_in(opened, inputs));
    } else {
      inputs.push_back({.path = path, .spool = {}});
    }
  }
  return CarStore::open(std::move(inputs), options);
}

}  // namespace piecework::engine
