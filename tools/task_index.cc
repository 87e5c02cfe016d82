#include "tools/task_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace piecework::tools {
namespace {

struct IndexVariable {
  const char* name;
  std::string_view unset_value;  // what the scheduler writes where the job is no array
  int64_t offset;                // the index of the first task
};

constexpr IndexVariable kIndexVariables[] = {{"SLURM_ARRAY_TASK_ID", "", 0},       {"JOB_COMPLETION_INDEX", "", 0},
                                             {"AWS_BATCH_JOB_ARRAY_INDEX", "", 0}, {"NOMAD_ALLOC_INDEX", "", 0},
                                             {"PBS_ARRAY_INDEX", "", 0},           {"LSB_JOBINDEX", "0", 1},
                                             {"SGE_TASK_ID", "undefined", 1}};

// A batch is a uint32_t; larger indices are no batch whatever the offset.
constexpr int64_t kIndexMax = int64_t{1} << 40;

tl::unexpected<Error> usage(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

std::optional<int64_t> parse_index(std::string_view text) {
  int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || number < 0 || number > kIndexMax) return std::nullopt;
  return number;
}

std::string variable_names() {
  std::string names;
  for (const IndexVariable& variable : kIndexVariables) {
    if (!names.empty()) names += ", ";
    names += variable.name;
  }
  return names;
}

// One variable that is set, with the number it holds and the batch that this names.
struct FoundIndex {
  const IndexVariable* variable;
  int64_t index;
  int64_t offset;
  int64_t batch() const { return index - offset; }
};

Status check_agreement(const FoundIndex& first, const FoundIndex& other) {
  if (first.index != other.index) {
    return usage(fmt::format("--task auto: {}={} and {}={} differ; unset one of them, or give --task N",
                             first.variable->name, first.index, other.variable->name, other.index));
  }
  if (first.batch() != other.batch()) {
    return usage(
        fmt::format("--task auto: {}={} counts from {} and {}={} from {}; unset one of them, or give "
                    "--task-offset",
                    first.variable->name, first.index, first.offset, other.variable->name, other.index, other.offset));
  }
  return {};
}

}  // namespace

Result<uint32_t> parse_task(const std::string& text) {
  const std::optional<int64_t> number = parse_index(text);
  if (number && *number <= UINT32_MAX) return static_cast<uint32_t>(*number);
  return usage(fmt::format("--task '{}': expected a batch's number, counted from 0, or auto", printable(text)));
}

Result<TaskIndex> task_from_environment(const ReadVariable& read_variable, std::optional<int64_t> offset) {
  std::optional<FoundIndex> found;
  for (const IndexVariable& variable : kIndexVariables) {
    const char* value = read_variable(variable.name);
    if (value == nullptr || *value == '\0' || variable.unset_value == value) continue;
    const std::optional<int64_t> index = parse_index(value);
    if (!index) {
      return usage(
          fmt::format("--task auto: {}='{}' is not a whole number from 0 on", variable.name, printable(value)));
    }
    const FoundIndex here{&variable, *index, offset.value_or(variable.offset)};
    if (found) PIECEWORK_TRY(check_agreement(*found, here));
    if (!found) found = here;
  }
  if (!found) return usage(fmt::format("--task auto: none of these variables is set: {}", variable_names()));
  const std::string origin = fmt::format("{}={}, offset {}", found->variable->name, found->index, found->offset);
  if (found->batch() < 0 || found->batch() > UINT32_MAX) {
    return usage(fmt::format("--task auto: {} names batch {}; batches count from 0 (see --task-offset)", origin,
                             found->batch()));
  }
  return TaskIndex{static_cast<uint32_t>(found->batch()), origin};
}

}  // namespace piecework::tools
