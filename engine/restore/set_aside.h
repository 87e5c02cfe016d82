// Damaged files under names of their own: "<name>.damaged", or "<name>.damaged-2" and so on where that is taken.
// Nothing is ever replaced, and a directory is synced before what depends on its names.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::engine {

// Thread-compatible. Errors of all functions: destination.
class SetAside {
 public:
  // Renames the file `path`.
  Status add(const std::string& path);
  // Takes over what an earlier process has set aside of `path`, where there is anything.
  void adopt(const std::string& path);
  // Gives names back where they are free; else the file stays where it is, and names() says so.
  Status give_back();
  // Removes the files: their replacements are there.
  Status remove();
  std::vector<std::string> names() const;

 private:
  struct Moved {
    std::string path;
    std::string aside;
  };
  std::vector<Moved> moved_;
};

}  // namespace piecework::engine
