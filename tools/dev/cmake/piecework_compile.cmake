# Compiler settings shared by every target: warnings and sanitizers (piecework_hardening.cmake has the rest).
# Instruction sets are never set here: each kernel file of one gets its own flags in kernels/CMakeLists.txt.
add_library(piecework_compile INTERFACE)
target_include_directories(piecework_compile INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(piecework_compile INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wundef -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A number that does not fit, or changes its sign, is cut by a cast that somebody wrote, or not at all. Clang's warnings
  # of these names see other things.
  target_compile_options(piecework_compile INTERFACE -Wconversion -Wsign-conversion)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3 these see ghosts in std::string (GCC bug 105651), std::optional and comparisons of vectors.
  target_compile_options(piecework_compile INTERFACE
    $<$<CONFIG:Release>:-Wno-restrict> $<$<CONFIG:Release>:-Wno-maybe-uninitialized> $<$<CONFIG:Release>:-Wno-stringop-overread>)
endif()
if(PIECEWORK_KILL_POINTS)
  target_compile_definitions(piecework_compile INTERFACE PIECEWORK_KILL_POINTS)
endif()
if(PIECEWORK_WERROR)
  target_compile_options(piecework_compile INTERFACE -Werror)
endif()
if(PIECEWORK_SANITIZE)
  add_compile_options(-fsanitize=${PIECEWORK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PIECEWORK_SANITIZE})
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(PIECEWORK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# Where ccache is installed, build directories share their objects. Elsewhere headers are precompiled; ccache would miss
# with them, and its builds are those that find a missing include.
find_program(PIECEWORK_CCACHE ccache)
if(PIECEWORK_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PIECEWORK_CCACHE})
endif()

# What most of a target's files include: the standard library's heavy headers, and those that follow `target`.
function(piecework_precompile target)
  if(NOT PIECEWORK_CCACHE)
    target_precompile_headers(${target} PRIVATE <algorithm> <atomic> <chrono> <filesystem> <functional> <memory> <mutex>
      <optional> <span> <string> <string_view> <thread> <unordered_map> <variant> <vector> <fmt/format.h>
      <tl/expected.hpp> ${ARGN})
  endif()
endfunction()
