#include "tools/deal/rpc_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "io/file.h"
#include "kernels/base/text.h"

namespace piecework::tools {
namespace {

constexpr size_t kTokenBytesMax = 8192;

}  // namespace

engine::RpcReply RpcClient::call(std::string_view method, const nlohmann::json& parameters) {
  const std::string body = engine::encode_rpc_request(method, parameters);
  io::HttpRequest request;
  request.method = io::HttpMethod::kPost;
  request.url = endpoint_;
  request.headers = {{"Content-Type", "application/json"}};
  if (!token_.empty()) request.headers.push_back({"Authorization", "Bearer " + token_});
  request.body = as_bytes(body);
  request.reply_bytes_max = engine::kRpcReplyBytesMax;
  request.timeout_ms = timeout_ms_;
  return engine::judge_rpc_reply(http_.perform(request));
}

Result<std::string> read_token_file(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kConfig));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  const auto refuse = [&path](ErrorCode code, std::string_view why) {
    return fail(code, ErrorSide::kConfig, fmt::format("the token file '{}' {}", printable(path), why));
  };
  if (!stamp.is_regular() || stamp.size_bytes > kTokenBytesMax) {
    return refuse(ErrorCode::kInvalidArgument, "is no regular file, or too large");
  }
  if ((stamp.mode & 077) != 0) return refuse(ErrorCode::kPermission, "can be read by others; chmod 600 it");
  std::string text(stamp.size_bytes, '\0');
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full({reinterpret_cast<uint8_t*>(text.data()), text.size()}, 0));
  text.resize(read_bytes);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return refuse(ErrorCode::kInvalidArgument, "is empty");
  std::string token = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  if (!std::ranges::all_of(token, [](char letter) { return letter > 0x20 && letter < 0x7F; })) {
    return refuse(ErrorCode::kInvalidArgument, "holds more than one word of printable text");
  }
  return token;
}

}  // namespace piecework::tools
