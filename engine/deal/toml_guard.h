// What toml++ must not see of a policy's text.
#pragma once

#include <cstddef>
#include <string_view>

namespace piecework::engine {

// toml++ bounds how deep values are nested, but not how many parts a dotted key has: each is a table in a table, and
// these go away by recursion. A policy needs no dot outside of quotes, so the first is refused; and no text over
// several lines, so that quotes can be told line by line. Nor is anything outside of ASCII (texts have \u): toml++
// 3.3 calls some of it unreachable. The line of what is refused, from 1, or 0.
size_t find_refused_line(std::string_view text);

}  // namespace piecework::engine
