// An HTTP/1.1 server: takes requests apart and sends answers of any length. Knows nothing of what it serves.
//
// One thread a connection, so that a body may wait for a disk without holding up others; their number is bounded. The
// only file that names libmicrohttpd is http_server.cc. No TLS: a reverse proxy in front has that.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

// Bytes that are made while they are sent. Used by one thread at a time.
class HttpBody {
 public:
  virtual ~HttpBody() = default;
  // The next bytes, at least one and at most target.size(). An error ends the connection, so that nobody takes what was
  // sent for the whole.
  virtual Result<size_t> read(MutableByteSpan target) = 0;
};

// Bytes of a file from `offset_bytes` on, sent by the kernel.
struct HttpFileBody {
  File file;
  uint64_t offset_bytes = 0;
};

struct HttpRequest {
  std::string method;  // GET and HEAD have no body here; that of others is not read
  std::string path;    // percent-decoded, without the query
  std::vector<std::pair<std::string, std::string>> fields;

  // The value of a field, by its name in any case; "" where there is none.
  std::string_view field(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> fields;  // without Content-Length and Date
  std::variant<std::string, HttpFileBody, std::unique_ptr<HttpBody>> body;
  uint64_t body_bytes = 0;  // of a file or HttpBody; announced as Content-Length. HEAD is answered without the body
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";  // IPv4, or IPv6 without brackets
  uint16_t port = 0;                  // 0: a free one
  unsigned connection_count_max = 64;
  unsigned connection_count_max_per_client = 0;  // 0: no limit of its own
  unsigned idle_seconds_max = 60;                // a connection on which nothing moves for so long is closed
};

// Counted since the start.
struct HttpCounters {
  uint64_t completed_count = 0;  // responses sent to their end
  uint64_t cut_count = 0;        // that the client or an error ended before
};

// Answers one request; called on the connections' threads, on several at once. Must not throw.
using HttpHandler = std::function<HttpResponse(const HttpRequest& request)>;

class HttpServer {
 public:
  // Serves from the moment it returns. Errors (config): kInvalidArgument for an address that is none; an address that
  // is in use or not this machine's, kUnavailable.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options, HttpHandler handler);
  // Closes all connections, also in the midst of a response, and waits for their threads.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const { return port_; }
  HttpCounters counters() const { return {completed_count_.load(), cut_count_.load()}; }

 private:
  struct Callbacks;
  explicit HttpServer(HttpHandler handler) : handler_(std::move(handler)) {}

  HttpHandler handler_;
  void* daemon_ = nullptr;
  uint16_t port_ = 0;
  std::atomic<uint64_t> completed_count_{0};
  std::atomic<uint64_t> cut_count_{0};
};

}  // namespace piecework::io
