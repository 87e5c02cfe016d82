// Arguments of a program with {names} in them that are replaced: what a configuration says instead of a shell line.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::tools {

// That `arguments` names a program, and no {name} but those of `names`. `what` stands in messages.
// Errors: kInvalidArgument (config).
Status check_command_template(const std::vector<std::string>& arguments, const std::vector<std::string_view>& names,
                              std::string_view what);

// `arguments` with every {name} of `values` replaced. What a value holds is not looked at again.
std::vector<std::string> fill_command_template(const std::vector<std::string>& arguments,
                                               const std::map<std::string, std::string, std::less<>>& values);

}  // namespace piecework::tools
