// See verify_report.h.
#include "engine/restore/verify_report.h"

#include <algorithm>

namespace piecework::engine {

void Findings::append(const Findings& other) {
  count_ += other.count_;
  const size_t room = kKeptMax - kept_.size();
  const auto begin = other.kept_.begin();
  kept_.insert(kept_.end(), begin, begin + static_cast<ptrdiff_t>(std::min(room, other.kept_.size())));
}

}  // namespace piecework::engine
