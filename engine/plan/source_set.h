// The sources of a plan, opened: where a path of the packed tree lies on disk.
//
// Every source is used through the descriptor of a directory: a directory source's own, or the parent of a file source.
// What is below is always opened beneath that descriptor, without following symlinks, so a source that is changed while
// it is packed cannot lead the reader elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/inventory.h"
#include "io/file.h"

namespace piecework::engine {

// A place of the packed tree, resolved. `path` is relative to `directory`; both views live as long as their owners.
struct SourcePlace {
  const io::File* directory = nullptr;
  std::string_view path;
};

// Safe for concurrent use once opened.
class SourceSet {
 public:
  // Resolves and opens every source; symlinks in the paths that the user gave are followed here and nowhere else.
  // Fills in `is_directory` and, where empty, `name`. Errors: of the source (kNotFound, kPermission); kInvalidArgument
  // for what is neither a directory nor a regular file, and for equal names.
  static Result<SourceSet> open(std::vector<Source> sources, bool join);

  const std::vector<Source>& sources() const { return sources_; }
  const io::File& directory(size_t source) const { return directories_[source]; }
  bool joined() const { return joined_; }

  // `tree_path` is a path in the packed tree (Inventory::path); "" is the root. Not for the root of joined sources.
  SourcePlace place(std::string_view tree_path) const;
  // "source path/path", for messages.
  std::string describe(std::string_view tree_path) const;

 private:
  std::vector<Source> sources_;
  std::vector<io::File> directories_;
  std::vector<std::string> base_names_;  // of file sources, else empty
  bool joined_ = false;
};

// Splits "NAME=PATH"; without a name the last component of the path stands in.
Source parse_source(std::string_view argument);

}  // namespace piecework::engine
