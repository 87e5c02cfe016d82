// What a measurement or a report says about the machine it ran on.
#pragma once

#include <string>

namespace piecework::tools {

// The processor's name as /proc/cpuinfo has it, or "unknown".
std::string cpu_model();

// "Linux 6.1.0 x86_64".
std::string system_name();

// Processor seconds that everything on this machine took so far, and what its hypervisor gave to others; 0 where the
// system does not say. Source: proc(5), /proc/stat, in ticks of 10 ms.
double busy_cpu_seconds();

}  // namespace piecework::tools
