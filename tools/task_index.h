// Which batch this task is to pack: `--task N`, or `--task auto` from the variable in which a scheduler gives each task
// of an array its index (design.md, section 6).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "kernels/base/error.h"

namespace piecework::tools {

// The value of an environment variable, or null where it is not set: getenv, or a test's own.
using ReadVariable = std::function<const char*(const char* name)>;

struct TaskIndex {
  uint32_t batch = 0;
  std::string origin;  // for people: "SLURM_ARRAY_TASK_ID=8, offset 1"
};

// The batch of `--task N`. Errors: kInvalidArgument (config).
Result<uint32_t> parse_task(const std::string& text);

// The batch of `--task auto`: the index less `offset`. Without one the offset is 0, and 1 for LSF and Grid Engine,
// which count from 1. A variable that is empty, LSB_JOBINDEX "0" and SGE_TASK_ID "undefined" count as not set. Errors:
// kInvalidArgument (config) where none is set, where two differ (in their values, or in the batch that they name),
// where a value is not a whole number, and where what is left is negative or too large. Whether the plan has such a
// batch is not known here.
Result<TaskIndex> task_from_environment(const ReadVariable& read_variable, std::optional<int64_t> offset);

}  // namespace piecework::tools
