#include "engine/store/cid_set.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/check.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

CidSet::Key CidSet::key_of(ByteSpan cid) {
  const Digest32 digest = kernels::sha256(cid);
  Key key;
  std::memcpy(key.data(), digest.data(), sizeof key);
  return key;
}

void CidSet::add(ByteSpan cid) {
  PIECEWORK_CHECK(!is_sealed_);
  keys_.push_back(key_of(cid));
}

void CidSet::seal() {
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  is_sealed_ = true;
}

bool CidSet::contains(ByteSpan cid) const {
  PIECEWORK_CHECK(is_sealed_ || keys_.empty());
  return std::binary_search(keys_.begin(), keys_.end(), key_of(cid));
}

}  // namespace piecework::engine
