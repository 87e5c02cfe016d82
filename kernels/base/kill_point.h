// Named places where a test build can be made to die by SIGKILL, as a power cut or an out-of-memory killer would have
// it: between any two steps that a crash may fall between.
//
// Only where the CMake option PIECEWORK_KILL_POINTS is on; else the calls are nothing. The command line hands in what
// the environment says (tools/test_build.h). The state behind it is global and set once, before any thread starts.
#pragma once

#include <cstdint>
#include <string_view>

namespace piecework {

#ifdef PIECEWORK_KILL_POINTS
// Dies at the `pass`-th passing of the point `name`, counted from 1. `name` lives as long as the process.
void arm_kill_point(std::string_view name, uint64_t pass) noexcept;
// A place to die at. Safe for concurrent use.
void kill_point(std::string_view name) noexcept;
#else
inline void kill_point(std::string_view /*name*/) noexcept {}
#endif

}  // namespace piecework
