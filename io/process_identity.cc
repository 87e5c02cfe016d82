#include "io/process_identity.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <vector>

#include "io/host_identity.h"

namespace piecework::io {
namespace {

// The 22nd field of /proc/<id>/stat; names may hold blanks and parentheses, so fields count from the last ')'.
std::string start_of(const std::string& id) {
  std::ifstream file("/proc/" + id + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  size_t at = name_end + 1;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at + 1);
    if (at == std::string::npos) return {};
  }
  return text.substr(at + 1, text.find(' ', at + 1) - at - 1);
}

std::string process_namespace() {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink("/proc/self/ns/pid", target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<size_t>(length)) : std::string();
}

std::vector<std::string> parts_of(std::string_view identity) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = identity.find('/', begin);
    parts.emplace_back(identity.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string without_slashes(std::string text) {
  for (char& c : text) {
    if (c == '/') c = '_';
  }
  return text;
}

}  // namespace

std::string process_identity() {
  const HostIdentity host = host_identity();
  const std::string id = std::to_string(::getpid());
  return without_slashes(host.host) + "/" + without_slashes(host.boot_id) + "/" + without_slashes(process_namespace()) +
         "/" + id + "/" + start_of("self");
}

bool is_surely_gone(std::string_view identity) {
  const std::vector<std::string> theirs = parts_of(identity);
  const std::vector<std::string> ours = parts_of(process_identity());
  if (theirs.size() != ours.size()) return false;
  for (const size_t part : {1u, 2u}) {  // boot, namespace
    if (theirs[part].empty() || theirs[part] != ours[part]) return false;
  }
  if (theirs[3].empty() || theirs[3].find_first_not_of("0123456789") != std::string::npos || theirs[4].empty()) {
    return false;
  }
  return start_of(theirs[3]) != theirs[4];
}

}  // namespace piecework::io
