#include "tools/deal/command_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/text.h"

namespace piecework::tools {
namespace {

struct Placeholder {
  size_t begin = std::string_view::npos;
  size_t end = 0;
  std::string_view name;
};

// The first {name} at or after `from`: a word of small letters in braces. `begin` is npos where there is none.
Placeholder find_placeholder(std::string_view argument, size_t from) {
  for (size_t open = argument.find('{', from); open != std::string_view::npos; open = argument.find('{', open + 1)) {
    const std::string_view rest = argument.substr(open + 1);
    const size_t length = std::min(rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), rest.size());
    if (length > 0 && rest.substr(length).starts_with('}')) return {open, open + length + 2, rest.substr(0, length)};
  }
  return {};
}

}  // namespace

Status check_command_template(const std::vector<std::string>& arguments, const std::vector<std::string_view>& names,
                              std::string_view what) {
  const auto refuse = [what](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, fmt::format("{}: {}", what, why));
  };
  if (arguments.empty() || arguments[0].empty()) return refuse("expected a program and its arguments");
  for (const std::string& argument : arguments) {
    if (argument.find('\0') != std::string::npos) return refuse("an argument with a NUL byte");
    for (Placeholder next = find_placeholder(argument, 0); next.begin != std::string_view::npos;
         next = find_placeholder(argument, next.end)) {
      if (std::ranges::find(names, next.name) == names.end()) {
        return refuse(
            fmt::format("'{{{}}}' is not known; there is {{{}}}", printable(next.name), fmt::join(names, "}, {")));
      }
    }
  }
  return {};
}

std::vector<std::string> fill_command_template(const std::vector<std::string>& arguments,
                                               const std::map<std::string, std::string, std::less<>>& values) {
  std::vector<std::string> filled;
  for (const std::string& argument : arguments) {
    std::string text;
    size_t at = 0;
    for (Placeholder next = find_placeholder(argument, 0); next.begin != std::string_view::npos;
         next = find_placeholder(argument, next.end)) {
      const auto value = values.find(next.name);
      if (value == values.end()) continue;
      text += argument.substr(at, next.begin - at) + value->second;
      at = next.end;
    }
    filled.push_back(text + argument.substr(at));
  }
  return filled;
}

}  // namespace piecework::tools
