// Multiaddresses of providers, as far as they say where to speak HTTP. Source: multiformats/multiaddr, protocols.csv.
#pragma once

#include <optional>
#include <string>

#include "kernels/base/bytes.h"

namespace piecework::engine {

// "https://sp.example:443" of /dns4/sp.example/tcp/443/https, /ip4/.../tcp/443/tls/http, .../wss; "http://..." of /http
// and /ws. None for other addresses, and for bytes that are none.
std::optional<std::string> http_url_of_multiaddress(ByteSpan bytes);

}  // namespace piecework::engine
