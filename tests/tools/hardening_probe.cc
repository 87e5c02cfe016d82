// What each kind of hardening must leave a trace in: tools/dev/check_hardening.py reads what the compiler makes of
// these functions with the flags of every other file. Nothing calls them.
#include <cstddef>
#include <cstdlib>
#include <cstring>

extern "C" {

void hardening_probe_use(void* memory);
void* hardening_probe_copy(const void* source, size_t capacity_bytes, size_t count_bytes);
void hardening_probe_local();
void hardening_probe_large_frame();

// The target's size is known at run time only, which level 3 of _FORTIFY_SOURCE checks and level 2 does not.
void* hardening_probe_copy(const void* source, size_t capacity_bytes, size_t count_bytes) {
  void* target = std::malloc(capacity_bytes);
  if (target != nullptr) std::memcpy(target, source, count_bytes);
  return target;
}

// No array: only the strong kind of stack protector guards a local whose address is handed out.
void hardening_probe_local() {
  int local = 0;
  hardening_probe_use(&local);
}

// A frame of several pages, each of which must be touched on the way, or the guard page could be stepped over.
void hardening_probe_large_frame() {
  char large[64 * 1024];
  hardening_probe_use(large);
}
}
