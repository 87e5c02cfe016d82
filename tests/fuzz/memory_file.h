// A fuzzer's input as a file, for readers that want one.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "io/file.h"
#include "kernels/base/check.h"

namespace piecework {

// An unnamed file that holds `bytes`; `name` stands in messages only.
inline io::File memory_file(ByteSpan bytes, const char* name) {
  const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
  PIECEWORK_CHECK(descriptor >= 0);
  PIECEWORK_CHECK(write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return io::File(io::UniqueFd(descriptor), name, ErrorSide::kSource);
}

}  // namespace piecework
