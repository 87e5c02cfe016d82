// Sizes as people write and read them: "256MiB" on the command line, "31.8 GiB" in messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/error.h"

namespace piecework::tools {

// Bytes of "N", "NB", "NKiB", "NMiB", "NGiB" or "NTiB": N is a whole number, units are binary, case does not matter.
// Errors: kInvalidArgument (config), with what is accepted.
Result<uint64_t> parse_size(std::string_view text);

// Padded bytes of a piece size: a size as above that is a power of two from 128 B to 64 GiB, or "pdp", the largest
// piece that PDP providers take (1 GiB padded, 1,065,353,216 bytes of payload). Errors: kInvalidArgument (config).
Result<uint64_t> parse_piece_size(std::string_view text);

// "0 B", "1023 B", "1.5 KiB", "32.0 GiB".
std::string format_bytes(uint64_t bytes);

// "1.30 GB/s": decimal, as disks and peers give theirs.
std::string format_rate(double bytes_per_second);

}  // namespace piecework::tools
