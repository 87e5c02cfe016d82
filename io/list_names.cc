#include "io/list_names.h"

#include "io/dir_reader.h"
#include "io/file.h"

namespace piecework::io {

Result<std::vector<std::string>> list_names(const std::string& path, std::string_view suffix) {
  PIECEWORK_ASSIGN(const File directory, open_named_directory(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const DirectoryListing listing, read_directory(directory));
  std::vector<std::string> names;
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const std::string_view name = listing.entry(i).name;
    if (!name.starts_with('.') && name.size() > suffix.size() && name.ends_with(suffix)) names.emplace_back(name);
  }
  return names;
}

}  // namespace piecework::io
