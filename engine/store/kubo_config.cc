// The files `version` and `datastore_spec` of a kubo repository. Declared in kubo_repo.h. Source: kubo
// repo/fsrepo (datastores.go: what a spec may hold), formats.md 10.
//
//   {"type":"mount","mounts":[{"mountpoint":"/blocks","path":"blocks","shardFunc":"...","type":"flatfs"},
//                             {"mountpoint":"/","path":"datastore","type":"levelds"}]}
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "engine/store/kubo_repo.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::json;

constexpr int kSpecDepthMax = 8;
constexpr std::string_view kWayRound =
    "blocks are read from a flatfs only; export what is wanted: `ipfs dag export CID | piecework pack - --out DIR`";

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, std::move(message));
}

tl::unexpected<Error> unsupported(std::string message) {
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig, std::move(message));
}

// A member that is text; "" where it is missing or something else.
std::string text_of(const Json& object, const char* name) {
  const Json::const_iterator member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

KuboMount mount_from(const Json& object) {
  return {text_of(object, "type"), text_of(object, "path"), text_of(object, "shardFunc")};
}

// Puts the mounts that matter in their places; others (a plugin's) hold neither blocks nor pins.
Status read_mounts(const Json& mounts, KuboDatastoreSpec& spec) {
  if (!mounts.is_array()) return corrupt("its mounts are no array");
  for (const Json& object : mounts) {
    if (!object.is_object()) return corrupt("a mount is no object");
    const std::string mountpoint = text_of(object, "mountpoint");
    KuboMount* mount = mountpoint == "/blocks" ? &spec.blocks : mountpoint == "/" ? &spec.root : nullptr;
    if (mount == nullptr) continue;
    if (!mount->type.empty()) return corrupt(fmt::format("'{}' is mounted twice", mountpoint));
    *mount = mount_from(object);
    if (mount->type.empty()) return corrupt(fmt::format("the mount of '{}' has no type", mountpoint));
  }
  return {};
}

Status check_blocks(const KuboDatastoreSpec& spec) {
  if (spec.blocks.type.empty()) {
    return unsupported(fmt::format("its blocks are in a datastore of type '{}', without a flatfs at /blocks: {}",
                                   printable(spec.root.type), kWayRound));
  }
  if (spec.blocks.type != "flatfs") {
    return unsupported(
        fmt::format("its blocks are in a datastore of type '{}': {}", printable(spec.blocks.type), kWayRound));
  }
  if (spec.blocks.path.empty() || spec.blocks.path.find('\0') != std::string::npos) {
    return corrupt("the flatfs at /blocks has no path");
  }
  return {};
}

}  // namespace

Result<KuboDatastoreSpec> parse_datastore_spec(std::string_view json) {
  bool is_too_deep = false;
  const Json::parser_callback_t check_depth = [&is_too_deep](int depth, Json::parse_event_t, Json&) {
    is_too_deep = is_too_deep || depth > kSpecDepthMax;
    return !is_too_deep;
  };
  const Json spec = Json::parse(json.begin(), json.end(), check_depth, /*allow_exceptions=*/false);
  if (spec.is_discarded() || is_too_deep || !spec.is_object()) {
    return corrupt("expected a JSON object {\"type\":\"mount\",\"mounts\":[...]}");
  }
  KuboDatastoreSpec parsed;
  const std::string type = text_of(spec, "type");
  if (type.empty()) return corrupt("it has no type");
  if (type == "mount") {
    const Json::const_iterator mounts = spec.find("mounts");
    if (mounts == spec.end()) return corrupt("its mounts are missing");
    PIECEWORK_TRY(read_mounts(*mounts, parsed));
  } else {
    parsed.root = mount_from(spec);  // one datastore for everything, as badger and pebble repositories have it
  }
  PIECEWORK_TRY(check_blocks(parsed));
  return parsed;
}

Result<uint32_t> parse_kubo_version(std::string_view text) {
  std::string_view digits = text;
  while (digits.ends_with('\n') || digits.ends_with(' ') || digits.ends_with('\r')) digits.remove_suffix(1);
  uint32_t version = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (fault != std::errc() || end != digits.data() + digits.size()) {
    return corrupt(
        fmt::format("expected the repository's version, a number; found '{}'", printable(text.substr(0, 32))));
  }
  if (version < kKuboVersionMin) {
    return unsupported(fmt::format("version {}: before {} blocks had other names; run `ipfs repo migrate` once",
                                   version, kKuboVersionMin));
  }
  return version;
}

}  // namespace piecework::engine
