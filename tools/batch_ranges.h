// Lists of batch numbers as schedulers take them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace piecework::tools {

// "3,17,40-44": for `sbatch --array`. REQUIRES: `numbers` increase. Empty for none.
std::string format_ranges(const std::vector<int64_t>& numbers);

// One number a line, each line ended. Empty for none.
std::string format_lines(const std::vector<int64_t>& numbers);

}  // namespace piecework::tools
