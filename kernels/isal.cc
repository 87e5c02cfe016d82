// ISA-L chooses its own instruction set at run time, so these have no variant table.
#include "kernels/isal.h"

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>

#include <algorithm>
#include <array>

namespace piecework::kernels {
namespace {

constexpr uint32_t kCastagnoliReflected = 0x82F63B78;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kCastagnoliReflected : 0);
    }
    table[byte] = remainder;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

}  // namespace

bool is_all_zero(ByteSpan data) noexcept {
  // ISA-L's prototypes lack const; neither function writes.
  return isal_zero_detect(const_cast<uint8_t*>(data.data()), data.size()) == 0;
}

bool is_all_zero_scalar(ByteSpan data) noexcept {
  return std::all_of(data.begin(), data.end(), [](uint8_t byte) { return byte == 0; });
}

uint32_t crc32c(uint32_t seed, ByteSpan data) noexcept {
  constexpr size_t kPartBytes = size_t{1} << 30;  // ISA-L takes the length as an int
  uint32_t state = ~seed;
  while (!data.empty()) {
    const ByteSpan part = data.first(std::min(data.size(), kPartBytes));
    state = crc32_iscsi(const_cast<unsigned char*>(part.data()), static_cast<int>(part.size()), state);
    data = data.subspan(part.size());
  }
  return ~state;
}

uint32_t crc32c_scalar(uint32_t seed, ByteSpan data) noexcept {
  uint32_t state = ~seed;
  for (const uint8_t byte : data) state = (state >> 8) ^ kCrcTable[(state ^ byte) & 0xFF];
  return ~state;
}

}  // namespace piecework::kernels
