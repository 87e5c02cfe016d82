#include "engine/deal/multiaddr.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kIp4 = 4;
constexpr uint64_t kTcp = 6;
constexpr uint64_t kIp6 = 41;
constexpr uint64_t kDns = 53;
constexpr uint64_t kDns4 = 54;
constexpr uint64_t kDns6 = 55;
constexpr uint64_t kHttps = 443;
constexpr uint64_t kTls = 448;
constexpr uint64_t kWs = 477;
constexpr uint64_t kWss = 478;
constexpr uint64_t kHttp = 480;
constexpr size_t kHostNameBytesMax = 253;

bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= kHostNameBytesMax && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '.';
  });
}

// Takes `count` bytes from the front of `rest`; none where there are fewer.
std::optional<ByteSpan> take(ByteSpan& rest, size_t count) {
  if (rest.size() < count) return std::nullopt;
  const ByteSpan taken = rest.first(count);
  rest = rest.subspan(count);
  return taken;
}

std::optional<uint64_t> take_varint(ByteSpan& rest) {
  const DecodedVarint decoded = decode_varint(rest);
  if (decoded.status != VarintStatus::kOk) return std::nullopt;
  rest = rest.subspan(decoded.length_bytes);
  return decoded.value;
}

// The host that begins the address, in the form of URLs.
std::optional<std::string> take_host(ByteSpan& rest) {
  const std::optional<uint64_t> code = take_varint(rest);
  if (code == kIp4 || code == kIp6) {
    const std::optional<ByteSpan> bytes = take(rest, code == kIp4 ? 4 : 16);
    if (!bytes) return std::nullopt;
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(code == kIp4 ? AF_INET : AF_INET6, bytes->data(), text, sizeof text);
    return code == kIp4 ? std::string(text) : fmt::format("[{}]", text);
  }
  if (code != kDns && code != kDns4 && code != kDns6) return std::nullopt;
  const std::optional<uint64_t> length = take_varint(rest);
  if (!length || *length > kHostNameBytesMax) return std::nullopt;
  const std::optional<ByteSpan> bytes = take(rest, static_cast<size_t>(*length));
  if (!bytes || !is_host_name(as_text(*bytes))) return std::nullopt;
  return std::string(as_text(*bytes));
}

}  // namespace

std::optional<std::string> http_url_of_multiaddress(ByteSpan bytes) {
  ByteSpan rest = bytes;
  const std::optional<std::string> host = take_host(rest);
  if (!host || take_varint(rest) != kTcp) return std::nullopt;
  const std::optional<ByteSpan> port_bytes = take(rest, 2);
  if (!port_bytes) return std::nullopt;
  const unsigned port = unsigned{(*port_bytes)[0]} << 8 | (*port_bytes)[1];
  std::optional<uint64_t> code = take_varint(rest);
  bool is_encrypted = code == kHttps || code == kWss;
  if (code == kTls) {
    is_encrypted = true;
    code = take_varint(rest);
  }
  if (code != kHttp && code != kWs && code != kHttps && code != kWss) return std::nullopt;
  return fmt::format("{}://{}:{}", is_encrypted ? "https" : "http", *host, port);
}

}  // namespace piecework::engine
