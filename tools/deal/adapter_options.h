// What the adapters of providers on the network have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/base/error.h"

namespace piecework::tools {

struct AdapterOptions {
  std::string base_url;  // "https://sp.example", as base_url() returns it
  // Longer than the ten seconds after which providers give up answering.
  int64_t submit_timeout_ms = 60'000;
  int64_t query_timeout_ms = 30'000;
  int64_t upload_timeout_ms = 3'600'000;  // of one chunk; a stalled one ends earlier
  std::function<int64_t()> unix_time_ms;  // the clock; safe for concurrent use
};

// `url` without a slash at its end. Errors: kInvalidArgument (config) where it must not be spoken to
// (io/http_client.h), or has a query or fragment.
Result<std::string> base_url(const std::string& url);

// This machine's clock.
int64_t system_unix_time_ms();

}  // namespace piecework::tools
