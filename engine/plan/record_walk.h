// Goes through the records of a batch and keeps the path of the record at hand.
#pragma once

#include <string>
#include <vector>

#include "engine/plan/plan_file.h"

namespace piecework::engine {

// Thread-compatible.
class RecordWalk {
 public:
  explicit RecordWalk(BatchReader records) : records_(std::move(records)) {}

  // The next record, or none; views live until the next call. Errors: as BatchReader::next.
  Result<std::optional<LayoutRecord>> next();
  // Of the record at hand, in the packed tree.
  const std::string& path() const { return path_; }

 private:
  struct Open {
    uint64_t children_left = 0;
    size_t path_bytes = 0;  // of the path up to and with this node
  };

  BatchReader records_;
  std::vector<Open> open_;
  std::string path_;
};

}  // namespace piecework::engine
