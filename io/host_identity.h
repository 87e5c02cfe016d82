// Which machine, and which boot of it, this process runs on: what decides whether bytes that an earlier process wrote
// can be believed.
#pragma once

#include <string>

namespace piecework::io {

struct HostIdentity {
  // /proc/sys/kernel/random/boot_id: changes with every boot, so equal ones mean that the kernel, its page cache
  // included, is still the one that took the bytes. Empty where it cannot be read; that equals nothing.
  std::string boot_id;
  // /etc/machine-id, or the host's name where there is none (containers).
  std::string host;

  bool same_boot(const HostIdentity& other) const { return !boot_id.empty() && boot_id == other.boot_id; }
  // For file names: the first characters of `host`, what is no letter or digit replaced.
  [[nodiscard]] std::string short_name() const;
  bool same_host(const HostIdentity& other) const { return same_boot(other) || (!host.empty() && host == other.host); }
};

// Reads both anew at each call; never fails.
HostIdentity host_identity();

}  // namespace piecework::io
