// PIECEWORK_CHECK: programmer's errors, always on. Never reachable from input; input errors are Result<T> (error.h).
#pragma once

namespace piecework {

// Prints the failed condition and where it stands, then aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace piecework

#define PIECEWORK_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::piecework::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define PIECEWORK_DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define PIECEWORK_DCHECK(condition) PIECEWORK_CHECK(condition)
#endif
