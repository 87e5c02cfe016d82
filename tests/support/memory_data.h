// A single file in memory as what a proof is checked against.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/proof/proof_data.h"

namespace piecework::testing {

class MemoryData : public engine::ProofData {
 public:
  explicit MemoryData(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}

  std::vector<uint8_t>& bytes() { return bytes_; }

  Result<engine::ProofDataEntry> entry(const std::string& path) override {
    if (!path.empty()) return engine::ProofDataEntry{};
    return engine::ProofDataEntry{engine::ProofDataKind::kFile, bytes_.size(), {}};
  }
  Status read(const std::string& path, uint64_t offset_bytes, MutableByteSpan target) override {
    const bool is_inside =
        path.empty() && offset_bytes <= bytes_.size() && target.size() <= bytes_.size() - offset_bytes;
    if (!is_inside) return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "outside the data");
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset_bytes), target.size(), target.begin());
    return {};
  }
  Result<std::optional<std::string>> first_beside(const std::set<std::string>&) override {
    return std::optional<std::string>();
  }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace piecework::testing
