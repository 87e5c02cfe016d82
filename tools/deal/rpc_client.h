// JSON-RPC 2.0 over HTTP to one endpoint, with a token where it wants one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/deal/chain_replies.h"
#include "io/http_client.h"
#include "kernels/base/error.h"

namespace piecework::tools {

// Thread-compatible. `http` outlives it.
class RpcClient {
 public:
  // `token`: the bearer's, "" for none. REQUIRES: io::check_url(endpoint) holds.
  RpcClient(std::string endpoint, std::string token, io::HttpClient& http, int64_t timeout_ms = 60'000)
      : endpoint_(std::move(endpoint)), token_(std::move(token)), http_(http), timeout_ms_(timeout_ms) {}

  engine::RpcReply call(std::string_view method, const nlohmann::json& parameters);

  const std::string& endpoint() const { return endpoint_; }

 private:
  std::string endpoint_;
  std::string token_;
  io::HttpClient& http_;
  int64_t timeout_ms_;
};

// The token in a file of mode 0600, without white space around it. Errors (config): kPermission where others can read
// it, kInvalidArgument where it is empty, too long or not printable.
Result<std::string> read_token_file(const std::string& path);

}  // namespace piecework::tools
