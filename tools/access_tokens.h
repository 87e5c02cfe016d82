// Who may fetch pieces: a file with one "NAME TOKEN" a line, a token for each provider.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::tools {

// Keeps digests of the tokens only, so that comparing them tells nothing by its time. Safe for concurrent use.
class AccessTokens {
 public:
  static constexpr size_t kTokenBytesMin = 16;

  // Lines that are empty or begin with '#' are passed over. Errors (config): kNotFound, kPermission; kInvalidArgument
  // where others than the owner may read the file, and for a line that is no name and token, without repeating it.
  static Result<AccessTokens> read(const std::string& path);

  // The name that belongs to the value of a request's Authorization field ("Bearer TOKEN"), or none.
  std::optional<std::string> name_of(std::string_view authorization) const;
  size_t count() const { return tokens_.size(); }

 private:
  struct Token {
    std::string name;
    Digest32 digest{};
  };

  Status add_line(std::string_view line);

  std::vector<Token> tokens_;
};

}  // namespace piecework::tools
