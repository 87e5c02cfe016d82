#include "io/host_identity.h"

#include <unistd.h>

#include <array>
#include <climits>

#include "io/file.h"

namespace piecework::io {
namespace {

// The first line of a small file; empty where it cannot be read.
std::string first_line(const char* path) {
  const auto file = open_named(path, ErrorSide::kInternal);
  if (!file) return {};
  std::array<uint8_t, 256> bytes;
  const auto got = file->read_full(bytes, 0);
  if (!got) return {};
  const std::string text(as_text(ByteSpan(bytes).first(*got)));
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string HostIdentity::short_name() const {
  constexpr size_t kShortBytes = 32;
  std::string name = host.substr(0, kShortBytes);
  for (char& c : name) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    if (!is_plain) c = '_';
  }
  return name;
}

HostIdentity host_identity() {
  HostIdentity identity{first_line("/proc/sys/kernel/random/boot_id"), first_line("/etc/machine-id")};
  if (!identity.host.empty() && identity.host != "uninitialized") return identity;
  std::array<char, HOST_NAME_MAX + 1> name = {};
  identity.host = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
  return identity;
}

}  // namespace piecework::io
