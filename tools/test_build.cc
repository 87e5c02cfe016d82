#include "tools/test_build.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "kernels/base/kill_point.h"

namespace piecework::tools {

#ifdef PIECEWORK_KILL_POINTS
namespace {

tl::unexpected<Error> refuse(std::string_view name, std::string_view form) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              std::string(name) + ": expected " + std::string(form) + ", counts from 1");
}

bool parse_count(std::string_view text, uint64_t& count) {
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  return code == std::errc() && stop == text.data() + text.size() && !text.empty();
}

std::optional<int64_t> number_from_environment(const char* name) {
  const char* const specification = std::getenv(name);
  uint64_t number = 0;
  if (specification == nullptr || !parse_count(specification, number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace

Status arm_kill_point_from_environment() {
  const char* specification = std::getenv("PIECEWORK_KILL");
  if (specification == nullptr || *specification == '\0') return {};
  const std::string_view text = specification;
  const size_t colon = text.rfind(':');
  uint64_t pass = 0;
  if (colon == std::string_view::npos || !parse_count(text.substr(colon + 1), pass) || pass == 0) {
    return refuse("PIECEWORK_KILL", "POINT:PASS");
  }
  arm_kill_point(text.substr(0, colon), pass);
  return {};
}

Status set_checkpoints_from_environment(engine::PackRequest& request) {
  if (const std::optional<int64_t> patience_ms = number_from_environment("PIECEWORK_PATIENCE")) {
    request.attempt_patience = std::chrono::milliseconds(*patience_ms);
  }
  const char* specification = std::getenv("PIECEWORK_CHECKPOINT");
  if (specification == nullptr || *specification == '\0') return {};
  std::string_view text = specification;
  std::array<uint64_t, 4> counts{};
  for (size_t i = 0; i < counts.size(); ++i) {
    const size_t end = i + 1 < counts.size() ? text.find(':') : text.size();
    if (end == std::string_view::npos || !parse_count(text.substr(0, end), counts[i])) {
      return refuse("PIECEWORK_CHECKPOINT", "MILLISECONDS:MARK_BYTES:DEAD_BYTES:EVENTS");
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  request.checkpoints.interval = std::chrono::milliseconds(counts[0]);
  request.checkpoints.mark_bytes = counts[1];
  request.checkpoints.dead_bytes_max = counts[2];
  request.events_per_run_max = static_cast<uint32_t>(std::clamp<uint64_t>(counts[3], 1, request.events_per_run_max));
  return {};
}

std::optional<int64_t> now_from_environment() { return number_from_environment("PIECEWORK_NOW"); }
std::optional<int64_t> stall_ms_from_environment() { return number_from_environment("PIECEWORK_STALL"); }
std::optional<int64_t> deal_timeout_ms_from_environment() { return number_from_environment("PIECEWORK_DEAL_TIMEOUT"); }
#else
Status arm_kill_point_from_environment() { return {}; }
Status set_checkpoints_from_environment(engine::PackRequest& /*request*/) { return {}; }
std::optional<int64_t> now_from_environment() { return std::nullopt; }
std::optional<int64_t> stall_ms_from_environment() { return std::nullopt; }
std::optional<int64_t> deal_timeout_ms_from_environment() { return std::nullopt; }
#endif

}  // namespace piecework::tools
