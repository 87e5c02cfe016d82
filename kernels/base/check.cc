#include "kernels/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace piecework {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "piecework: internal error: check failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace piecework
