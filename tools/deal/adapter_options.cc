#include "tools/deal/adapter_options.h"

#include <fmt/format.h>

#include <chrono>

#include "io/http_client.h"
#include "kernels/base/text.h"

namespace piecework::tools {

Result<std::string> base_url(const std::string& url) {
  PIECEWORK_TRY(io::check_url(url));
  if (url.find_first_of("?#") != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("URL '{}': expected one without query and fragment", printable(url)));
  }
  return url.substr(0, url.find_last_not_of('/') + 1);
}

int64_t system_unix_time_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace piecework::tools
