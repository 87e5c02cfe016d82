// Which process this is, and whether another one is surely gone: for leases that outlive a process that was killed.
#pragma once

#include <string>
#include <string_view>

namespace piecework::io {

// "<host>/<boot id>/<process namespace>/<process id>/<its start in ticks after boot>": no two processes have the same.
std::string process_identity();

// Whether the process that `identity` names has ended: it ran under this very boot and process namespace, and there is
// none of that id and start now. False where that cannot be told: on another host, after a reboot of it, in another
// container.
bool is_surely_gone(std::string_view identity);

}  // namespace piecework::io
