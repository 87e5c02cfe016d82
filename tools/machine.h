// What a measurement or a report says about the machine it ran on.
#pragma once

#include <string>

namespace piecework::tools {

// The processor's name as /proc/cpuinfo has it, or "unknown".
std::string cpu_model();

// "Linux 6.1.0 x86_64".
std::string system_name();

}  // namespace piecework::tools
