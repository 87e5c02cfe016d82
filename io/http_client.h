// HTTP over libcurl, named in http_client.cc alone: it moves bytes and does not know what they mean.
//
// Nothing leaves the machine unencrypted: https, or http to this machine itself. Redirections are not followed, replies
// are bounded, and a request that is not idempotent goes out on a connection of its own, since libcurl repeats by
// itself what it finds no answer to on a connection that it used before. An answer that is cut off is none.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

enum class HttpMethod : uint8_t { kGet, kPost, kPut };

struct HttpHeader {
  std::string name;
  std::string value;  // without control bytes
};

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string url;
  std::vector<HttpHeader> headers;
  ByteSpan body;  // of any method, GET included; lives until the call returns
  size_t reply_bytes_max = size_t{1} << 20;
  int64_t timeout_ms = 60'000;  // for everything; a body that moves at less than 1 KiB/s for a minute ends it too
};

struct HttpReply {
  int status = 0;
  std::vector<uint8_t> body;
  int64_t retry_after_s = 0;  // 0: it did not say
};

// What became of a request. Without a reply nothing is known of what the other side did, unless `was_sent` is false:
// then no connection came about, and not a byte of the request has left.
struct HttpOutcome {
  std::optional<HttpReply> reply;
  bool was_sent = false;
  std::string failure;  // for people; "" where there is a reply
};

struct HttpOptions {
  std::string ca_file;  // certificates to trust beside nothing else; "": the system's
  int64_t connect_timeout_ms = 30'000;
  // Ends a request that is under way once it is true. Outlives the client. May be null.
  const std::atomic<bool>* stop = nullptr;
};

// That `url` may be spoken to: https, or http where its host is 127.0.0.0/8, [::1] or localhost; without user name or
// password, which would end up in logs. Errors: kInvalidArgument (config).
Status check_url(std::string_view url);

// Thread-compatible. Proxies of the environment (https_proxy, as for curl) are used for https alone.
class HttpClient {
 public:
  // Errors: kResourceExhausted.
  static Result<HttpClient> create(HttpOptions options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Sends `request` and waits. A URL that check_url refuses is not spoken to.
  HttpOutcome perform(const HttpRequest& request);

 private:
  struct Handle;
  explicit HttpClient(std::unique_ptr<Handle> handle);

  std::unique_ptr<Handle> handle_;
};

}  // namespace piecework::io
