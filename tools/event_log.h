// --events FILE|-: what happens, as JSON lines, for programs that follow a job.
//
// Each line is one object that begins with `time` (RFC 3339, UTC) and `event`. A file is appended to, a line by one
// write(2), so that the tasks of an array may share one. A log that cannot be written is a warning and ends there: work
// worth days does not fail for its log, and a log with a hole in its middle would be worse than one that ends.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "io/file.h"
#include "tools/json_output.h"

namespace piecework::tools {

// Safe for concurrent use.
class EventLog {
 public:
  // `target` is a path, "-" for standard output, or "" for no log. A file is made where it is missing.
  explicit EventLog(const std::string& target);

  // Whether events go anywhere; where not, they need not be made.
  bool is_open() const;
  // Adds one line. `fields` is an object; its keys follow `time` and `event`.
  void write(std::string_view event, const Json& fields);

 private:
  void end_with_warning(int sys_errno);

  mutable std::mutex mutex_;
  std::string name_;  // for messages
  io::UniqueFd fd_;
};

}  // namespace piecework::tools
