// Standard output: one JSON object, or text.
#include "tools/json_output.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "kernels/base/bytes.h"
#include "kernels/base/units.h"

namespace piecework::tools {
namespace {

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

// RFC 4648 base64 with padding.
std::string base64(ByteSpan bytes) {
  std::string text(4 * div_ceil(bytes.size(), 3) + 1, '\0');  // EVP_EncodeBlock ends its text with a NUL
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

}  // namespace

void set_path(Json& object, std::string_view path) {
  if (is_utf8(path)) {
    object["path"] = path;
  } else {
    object["path_base64"] = base64(as_bytes(path));
  }
}

Status print_json(const Json& object) {
  return print_text(object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status print_text(std::string_view text) {
  if (text.empty()) return {};
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return fail_errno(errno, ErrorSide::kDestination, "writing to standard output");
  return {};
}

}  // namespace piecework::tools
