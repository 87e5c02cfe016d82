# Hardening: what the compiler and the linker add so that a mistake in the handling of memory ends the program instead of
# serving whoever made the input. In every optimised build that no sanitizer watches, so that developers test with what
# users run; tools/dev/check_hardening.py reads the objects and the program and fails where something is missing.
include(CheckCXXSourceCompiles)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

set(PIECEWORK_HARDENED OFF)
if(NOT PIECEWORK_SANITIZE AND "${CMAKE_BUILD_TYPE} ${CMAKE_CXX_FLAGS}" MATCHES "Rel|-O[123s]")
  set(PIECEWORK_HARDENED ON)
  # 3 also checks writes to memory whose size is known at run time only. The C library warns where the compiler cannot.
  set(CMAKE_REQUIRED_FLAGS "-O1 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_cxx_source_compiles("#include <cstring>\nint main() { return 0; }" PIECEWORK_HAS_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  if(PIECEWORK_HAS_FORTIFY_3)
    set(PIECEWORK_FORTIFY_LEVEL 3)
  else()
    set(PIECEWORK_FORTIFY_LEVEL 2)
  endif()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${PIECEWORK_FORTIFY_LEVEL}
    -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
