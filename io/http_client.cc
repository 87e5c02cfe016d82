#include "io/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace piecework::io {
namespace {

constexpr long kSlowBytesPerSecond = 1024;
constexpr long kSlowSeconds = 60;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// libcurl wants this once, before any thread uses it.
void initialise() {
  static std::once_flag once;
  std::call_once(once, [] { PIECEWORK_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string owned = text;
  curl_free(text);
  return owned;
}

// libcurl has brought addresses into their usual form, and looks up "localhost" nowhere.
bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

tl::unexpected<Error> refuse(std::string_view url, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, fmt::format("URL '{}': {}", printable(url), why));
}

bool has_control_bytes(std::string_view text) {
  return std::ranges::any_of(text,
                             [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; });
}

// A reply's body as it comes in, up to its limit.
struct Sink {
  std::vector<uint8_t> bytes;
  size_t bytes_max = 0;
  bool is_full = false;
};

size_t receive(char* data, size_t item_bytes, size_t item_count, void* target) {
  Sink& sink = *static_cast<Sink*>(target);
  const size_t count = item_bytes * item_count;
  if (count > sink.bytes_max - sink.bytes.size()) {
    sink.is_full = true;
    return 0;  // ends the transfer
  }
  sink.bytes.insert(sink.bytes.end(), data, data + count);
  return count;
}

int ask_whether_to_stop(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load(std::memory_order_relaxed) ? 1 : 0;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  PIECEWORK_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

void set_method(CURL* easy, const HttpRequest& request) {
  const bool is_get = request.method == HttpMethod::kGet;
  if (!is_get || !request.body.empty()) {
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(easy, CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(request.body.data()));
    set(easy, CURLOPT_CUSTOMREQUEST, is_get ? "GET" : request.method == HttpMethod::kPut ? "PUT" : "POST");
  }
  set(easy, CURLOPT_FRESH_CONNECT, is_get ? 0L : 1L);
  set(easy, CURLOPT_FORBID_REUSE, is_get ? 0L : 1L);
}

// Whether a byte of the request may have left: the connection stood, or libcurl counts bytes as written.
bool has_begun_to_send(CURL* easy) {
  curl_off_t ready_us = 0;
  curl_off_t body_bytes = 0;
  long head_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head_bytes);
  curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &body_bytes);
  return ready_us != 0 || head_bytes != 0 || body_bytes != 0;
}

HeaderList header_list(const HttpRequest& request) {
  HeaderList list;
  const auto append = [&list](const std::string& line) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    PIECEWORK_CHECK(longer != nullptr);
    static_cast<void>(list.release());
    list.reset(longer);
  };
  // Else libcurl waits a second for a "100 Continue" before a long body, and names a content type of its own.
  append("Expect:");
  const bool has_type =
      std::ranges::any_of(request.headers, [](const HttpHeader& h) { return h.name == "Content-Type"; });
  if (!has_type) append("Content-Type:");
  for (const HttpHeader& header : request.headers) append(header.name + ": " + header.value);
  return list;
}

}  // namespace

Status check_url(std::string_view url) {
  initialise();
  if (has_control_bytes(url)) return refuse(url, "it has control bytes");
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  PIECEWORK_CHECK(parsed != nullptr);
  const CURLUcode status =
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(url).c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (status != CURLUE_OK) return refuse(url, curl_url_strerror(status));
  if (!url_part(parsed.get(), CURLUPART_USER).empty() || !url_part(parsed.get(), CURLUPART_PASSWORD).empty()) {
    return refuse("...@" + url_part(parsed.get(), CURLUPART_HOST),
                  "it holds a user name or password; use a token file");
  }
  const std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME);
  if (scheme == "https" || (scheme == "http" && is_loopback(url_part(parsed.get(), CURLUPART_HOST)))) return {};
  return refuse(url, "expected https:// (http:// is for this machine alone: what is sent could be read and replayed)");
}

struct HttpClient::Handle {
  HttpOptions options;
  std::unique_ptr<CURL, FreeEasy> easy;
};

HttpClient::HttpClient(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create(HttpOptions options) {
  initialise();
  auto handle = std::make_unique<Handle>();
  handle->options = std::move(options);
  handle->easy.reset(curl_easy_init());
  if (handle->easy == nullptr) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal, "libcurl could not be started");
  }
  return HttpClient(std::move(handle));
}

HttpOutcome HttpClient::perform(const HttpRequest& request) {
  const auto not_sent = [](std::string why) { return HttpOutcome{std::nullopt, false, std::move(why)}; };
  if (const Status allowed = check_url(request.url); !allowed) return not_sent(allowed.error().message);
  for (const HttpHeader& header : request.headers) {
    if (has_control_bytes(header.name + header.value)) return not_sent(header.name + ": a header with control bytes");
  }
  CURL* const easy = handle_->easy.get();
  const HttpOptions& options = handle_->options;
  curl_easy_reset(easy);
  Sink sink{{}, request.reply_bytes_max, false};
  const HeaderList headers = header_list(request);
  const bool is_tls = request.url.size() > 5 && (request.url[4] == 's' || request.url[4] == 'S');
  set(easy, CURLOPT_URL, request.url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, is_tls ? "https" : "http");
  if (!is_tls) set(easy, CURLOPT_NOPROXY, "*");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  set(easy, CURLOPT_USERAGENT, "piecework");
  set(easy, CURLOPT_HTTPHEADER, headers.get());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  set(easy, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  set(easy, CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
  set(easy, CURLOPT_WRITEFUNCTION, receive);
  set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&sink));
  if (options.stop != nullptr) {
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, ask_whether_to_stop);
    set(easy, CURLOPT_XFERINFODATA, const_cast<void*>(static_cast<const void*>(options.stop)));
  }
  char error_text[CURL_ERROR_SIZE] = {};
  set(easy, CURLOPT_ERRORBUFFER, error_text);
  set_method(easy, request);
  const CURLcode code = curl_easy_perform(easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);

  HttpOutcome outcome{std::nullopt, has_begun_to_send(easy), ""};
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status != 0) {
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    outcome.reply = HttpReply{static_cast<int>(status), std::move(sink.bytes), retry_after_s};
  } else if (sink.is_full) {
    outcome.failure = fmt::format("a reply of more than {} bytes", request.reply_bytes_max);
  } else {
    outcome.failure = printable(error_text[0] != '\0' ? error_text : curl_easy_strerror(code));
  }
  return outcome;
}

}  // namespace piecework::io
