// This process: the stop signal, its messages, its share of the machine, the kernels it runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/variant.h"

namespace piecework::tools {

inline constexpr unsigned kThreadsMax = 1024;

// Processors that this process may use (affinity mask and CPU quota, see io/limits.h), from 1 to kThreadsMax.
unsigned usable_thread_count();

// True once SIGINT or SIGTERM arrived: finish what can be resumed later, then return kCancelled. Safe for concurrent
// use.
const std::atomic<bool>& stop_requested();

// Sets the flag above on the first SIGINT or SIGTERM; a second one kills. Blocking reads return EINTR, as the caller
// must look at the flag. SIGPIPE is ignored: a closed pipe is an error of the write.
void install_signal_handlers();

// Prints one line "piecework: <message>" to stderr, with control bytes escaped.
void print_message(std::string_view message);

// Resident memory of this process now, and the most that it has had so far; 0 where the system does not say.
uint64_t resident_bytes();
uint64_t resident_bytes_max();

// Processor time that this process has used, in steps of 100 ms: whether it computes at all.
uint64_t busy_steps();

// Every kernel's variants, in order of preference.
std::vector<kernels::VariantInfo> all_variants();

// Those that this processor can run: "sha256_nodes=avx512, sha256_nodes=shani, ...".
std::string available_variants();

// "0.1.0".
std::string_view version();

}  // namespace piecework::tools
