#include "engine/plan/record_walk.h"

namespace piecework::engine {

Result<std::optional<LayoutRecord>> RecordWalk::next() {
  PIECEWORK_ASSIGN(std::optional<LayoutRecord> record, records_.next());
  if (!record) return record;
  while (!open_.empty() && open_.back().children_left == 0) open_.pop_back();
  path_.resize(open_.empty() ? 0 : open_.back().path_bytes);
  if (!open_.empty()) --open_.back().children_left;
  // A shard has no name: what it holds is in the directory around it.
  if (!path_.empty() && !record->name.empty()) path_ += '/';
  path_ += record->name;
  if (record->child_count > 0) open_.push_back({record->child_count, path_.size()});
  return record;
}

}  // namespace piecework::engine
