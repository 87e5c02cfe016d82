#include "io/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <strings.h>

#include <cstring>
#include <optional>

namespace piecework::io {
namespace {

constexpr size_t kBodyBlockBytes = 256 * 1024;

struct SocketAddress {
  sockaddr_storage storage{};
  bool is_ipv6 = false;
};

std::optional<SocketAddress> parse_address(const std::string& text, uint16_t port) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  address.is_ipv6 = true;
  return address;
}

MHD_Result add_field(void* closure, MHD_ValueKind, const char* name, const char* value) {
  static_cast<HttpRequest*>(closure)->fields.emplace_back(name, value == nullptr ? "" : value);
  return MHD_YES;
}

ssize_t read_body(void* closure, uint64_t, char* target, size_t target_bytes) {
  const auto read = static_cast<HttpBody*>(closure)->read({reinterpret_cast<uint8_t*>(target), target_bytes});
  return read && *read > 0 ? static_cast<ssize_t>(*read) : MHD_CONTENT_READER_END_WITH_ERROR;
}

void free_body(void* closure) { delete static_cast<HttpBody*>(closure); }

// Takes the body over.
MHD_Response* make_response(HttpResponse& response) {
  if (auto* file = std::get_if<HttpFileBody>(&response.body)) {
    const int fd = file->file.release().release();  // closed with the response
    return MHD_create_response_from_fd_at_offset64(response.body_bytes, fd, file->offset_bytes);
  }
  if (auto* body = std::get_if<std::unique_ptr<HttpBody>>(&response.body)) {
    return MHD_create_response_from_callback(response.body_bytes, kBodyBlockBytes, read_body, body->release(),
                                             free_body);
  }
  auto& text = std::get<std::string>(response.body);
  return MHD_create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
}

}  // namespace

std::string_view HttpRequest::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  }
  return {};
}

// What libmicrohttpd calls. A request is seen twice: when its fields are there, and when its body, if any, is.
struct HttpServer::Callbacks {
  static MHD_Result access(void* closure, MHD_Connection* connection, const char* url, const char* method, const char*,
                           const char*, size_t* upload_bytes, void** state) {
    static char seen = 0;
    if (*state == nullptr) {
      *state = &seen;
      return MHD_YES;
    }
    if (*upload_bytes != 0) {  // a body, of no use to anybody
      *upload_bytes = 0;
      return MHD_YES;
    }
    HttpRequest request{.method = method, .path = url, .fields = {}};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_field, &request);
    HttpResponse answer = static_cast<HttpServer*>(closure)->handler_(request);
    MHD_Response* response = make_response(answer);
    if (response == nullptr) return MHD_NO;
    for (const auto& [name, value] : answer.fields) MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);  // the connection holds it now
    return queued;
  }

  static void completed(void* closure, MHD_Connection*, void**, MHD_RequestTerminationCode code) {
    auto* server = static_cast<HttpServer*>(closure);
    (code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? server->completed_count_ : server->cut_count_).fetch_add(1);
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, HttpHandler handler) {
  const std::optional<SocketAddress> address = parse_address(options.address, options.port);
  if (!address) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' is no IP address to listen at", printable(options.address)));
  }
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(handler)));
  const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                         (address->is_ipv6 ? static_cast<unsigned>(MHD_USE_IPv6) : 0U);
  errno = 0;
  MHD_Daemon* daemon = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Callbacks::access, server.get(), MHD_OPTION_SOCK_ADDR, &address->storage,
      MHD_OPTION_CONNECTION_LIMIT, options.connection_count_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      options.connection_count_max_per_client, MHD_OPTION_CONNECTION_TIMEOUT, options.idle_seconds_max,
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::completed, server.get(), MHD_OPTION_END);
  if (daemon == nullptr) {
    return fail(ErrorCode::kUnavailable, ErrorSide::kConfig,
                fmt::format("cannot listen at {} port {}: {}; choose another --listen", options.address, options.port,
                            std::strerror(errno)));
  }
  server->daemon_ = daemon;
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
  server->port_ = info == nullptr ? options.port : info->port;
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(static_cast<MHD_Daemon*>(daemon_));
}

}  // namespace piecework::io
