#include "tools/access_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/file.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"

namespace piecework::tools {
namespace {

constexpr uint64_t kFileBytesMax = kMiB;
constexpr std::string_view kScheme = "bearer ";

// RFC 6750, section 2.1.
bool is_token(std::string_view text) {
  return text.size() >= AccessTokens::kTokenBytesMin && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._~+/=").find(c) != std::string_view::npos;
         });
}

Digest32 digest_of(std::string_view token) { return kernels::sha256(as_bytes(token)); }

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

}  // namespace

Result<AccessTokens> AccessTokens::read(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kConfig));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular() || stamp.size_bytes > kFileBytesMax) {
    return invalid(fmt::format("'{}' is no file of tokens", printable(path)));
  }
  if ((stamp.mode & 077) != 0) {
    return invalid(fmt::format("'{}' can be read by others: chmod 600", printable(path)));
  }
  std::string text(static_cast<size_t>(stamp.size_bytes), '\0');
  PIECEWORK_ASSIGN(const size_t read_bytes,
                   file.read_full({reinterpret_cast<uint8_t*>(text.data()), text.size()}, 0));
  text.resize(read_bytes);
  AccessTokens tokens;
  size_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (Status added = tokens.add_line(std::string_view(text).substr(begin, end - begin)); !added) {
      return invalid(fmt::format("'{}' line {}: {}", printable(path), number, added.error().message));
    }
    begin = end + 1;
  }
  std::fill(text.begin(), text.end(), '\0');
  if (tokens.tokens_.empty()) return invalid(fmt::format("'{}' has no token", printable(path)));
  return tokens;
}

Status AccessTokens::add_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return {};
  const size_t space = line.find(' ');
  const std::string_view name = line.substr(0, space);
  const std::string_view token = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  if (name.empty() || !is_token(token)) {
    return invalid(fmt::format("expected NAME TOKEN, the token of at least {} letters, digits and -._~+/=",
                               kTokenBytesMin));
  }
  tokens_.push_back({std::string(name), digest_of(token)});
  return {};
}

std::optional<std::string> AccessTokens::name_of(std::string_view authorization) const {
  const bool has_scheme = authorization.size() > kScheme.size() &&
                          std::equal(kScheme.begin(), kScheme.end(), authorization.begin(), [](char a, char b) {
                            return a == b || (a != ' ' && a == (b | 0x20));
                          });
  if (!has_scheme) return std::nullopt;
  const Digest32 digest = digest_of(authorization.substr(kScheme.size()));
  const auto found =
      std::find_if(tokens_.begin(), tokens_.end(), [&](const Token& token) { return token.digest == digest; });
  return found == tokens_.end() ? std::nullopt : std::optional(found->name);
}

}  // namespace piecework::tools
