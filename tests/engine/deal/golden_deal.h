// The deal of tests/vectors/deals/vectors.txt: its parts as the engine has them, and what other implementations made of
// it, by the names of the file.
#pragma once

#include <array>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/sodium.h"
#include "tests/support/golden.h"

namespace piecework::engine {

inline constexpr std::string_view kGoldenClientText = "f1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi";
inline constexpr std::string_view kGoldenOnchainCid = "bafy2bzaceb3dufepizgyvjm74vymy44txpb4oh65wwceerfiokxcwewus4weg";
inline constexpr std::string_view kGoldenSignedCid = "bafyreic4b2clkvqtzzjee4m6wy7vdioykxhmy7d2xlnb2g6rdlipdui4ni";
inline constexpr int64_t kGoldenUnixTime_s = 1'787'229'240;  // 2026-08-20T12:34:00Z

// The rest of the first line of the file that begins with `name` and a space.
inline std::string golden_value(std::string_view name) {
  std::ifstream file(testing::vector_path("deals/vectors.txt"));
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(std::string(name) + " ")) return line.substr(name.size() + 1);
  }
  return "";
}

inline std::vector<uint8_t> from_hex(std::string_view text) {
  std::vector<uint8_t> bytes(text.size() / 2);
  const std::optional<size_t> written = decode_secret_hex(bytes, text);
  bytes.resize(written.value_or(0));
  return bytes;
}

inline SecretKey golden_key() {
  SecretKey key;
  for (uint8_t& byte : key.writable()) byte = 1;
  return key;
}

inline DealProposal golden_proposal() {
  DealProposal proposal;
  proposal.piece_cid = parse_cid("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq").value();
  proposal.padded_bytes = uint64_t{32} << 30;
  proposal.client = Address::parse(kGoldenClientText, 'f').value();
  proposal.provider = Address::of_actor(1000);
  proposal.label.content = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
  proposal.start_epoch = 5'000'000;
  proposal.end_epoch = 6'468'000;
  proposal.provider_collateral = AttoFil(5'000'000'000'000'000);
  return proposal;
}

}  // namespace piecework::engine
