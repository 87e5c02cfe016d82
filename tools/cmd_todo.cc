// `piecework todo --plan PLAN --out DIR`: the batches that are still missing and can run now, for a scheduler's array.
//
// Missing is what `pack` would pack: the same test for "done", on receipts and file lengths alone (batch_state.h). No
// batch waits for another one, so every missing batch can run. Nothing missing: no output, exit code 0.
#include <fmt/format.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "engine/plan/plan_file.h"
#include "engine/record/batch_state.h"
#include "tools/batch_ranges.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct TodoFlags {
  std::string plan_path;
  std::string out_path;
  std::string format = "slurm";
  int64_t task_offset = 0;
  bool no_car = false;
  bool json = false;
};

// Batches as the scheduler counts its tasks.
std::vector<int64_t> task_numbers(const std::vector<uint32_t>& batches, int64_t offset) {
  std::vector<int64_t> numbers;
  numbers.reserve(batches.size());
  for (const uint32_t batch : batches) numbers.push_back(batch + offset);
  return numbers;
}

// What is not done: batches that can run now, and those that have to wait for others.
struct Todo {
  std::vector<uint32_t> missing;
  uint64_t waiting_count = 0;
};

Result<Todo> find_todo(const engine::PlanSummary& plan, const engine::BatchStates& states) {
  std::vector<uint32_t> batches(plan.batches.size());
  std::iota(batches.begin(), batches.end(), 0);
  PIECEWORK_ASSIGN(const std::vector<uint32_t> not_done, states.missing(batches));
  Todo todo;
  for (const uint32_t batch : not_done) {
    PIECEWORK_ASSIGN(const bool waits, states.is_waiting(plan, batch));
    if (waits)
      ++todo.waiting_count;
    else
      todo.missing.push_back(batch);
  }
  return todo;
}

Status print_todo_json(const engine::PlanSummary& plan, const Todo& todo, const std::vector<int64_t>& numbers) {
  const std::vector<uint32_t>& missing = todo.missing;
  uint64_t missing_car_bytes = 0;
  for (const uint32_t batch : missing) missing_car_bytes += plan.batches[batch].totals.car_bytes;
  return print_json({{"plan_digest", plan.digest_text()},
                     {"batch_count", plan.batches.size()},
                     {"done_count", plan.batches.size() - missing.size() - todo.waiting_count},
                     {"missing_count", missing.size()},
                     {"waiting_count", todo.waiting_count},
                     {"missing_car_bytes", missing_car_bytes},
                     {"missing", numbers},
                     {"missing_ranges", format_ranges(numbers)}});
}

Status print_todo_text(const std::string& format, const std::vector<int64_t>& numbers) {
  if (numbers.empty()) return {};
  return print_text(format == "lines" ? format_lines(numbers) : format_ranges(numbers) + "\n");
}

Result<int> run_todo(const TodoFlags& flags) {
  constexpr int64_t kOffsetMax = int64_t{1} << 40;
  if (flags.task_offset > kOffsetMax || flags.task_offset < 0) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("--task-offset {}: expected a number from 0 to {}", flags.task_offset, kOffsetMax));
  }
  PIECEWORK_ASSIGN(const std::unique_ptr<engine::PlanReader> reader, engine::PlanReader::open(flags.plan_path));
  const engine::PlanSummary& plan = reader->summary();
  PIECEWORK_ASSIGN(const engine::BatchStates states,
                   engine::BatchStates::open(flags.out_path, plan.digest_text(), !flags.no_car));
  PIECEWORK_ASSIGN(const Todo todo, find_todo(plan, states));
  const std::vector<int64_t> numbers = task_numbers(todo.missing, flags.task_offset);
  PIECEWORK_TRY(flags.json ? print_todo_json(plan, todo, numbers) : print_todo_text(flags.format, numbers));
  return kExitDone;
}

}  // namespace

void add_todo_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<TodoFlags>();
  CLI::App* command =
      add_command(app, {.name = "todo",
                        .summary = "Batches of a plan that are missing and can run now; none: no output",
                        .example = "piecework todo --plan sites.plan --out pieces"});
  command->add_option("--plan", flags->plan_path, "The plan")->required();
  command->add_option("--out", flags->out_path, "Output directory of pack; it need not exist")->required();
  command->add_option("--format", flags->format, "slurm: 3,17,40-44 on one line; lines: a number a line")
      ->check(CLI::IsMember({"slurm", "lines"}))
      ->capture_default_str();
  command->add_option("--task-offset", flags->task_offset, "Added to every number: 1 for LSF and Grid Engine")
      ->capture_default_str();
  command->add_flag("--no-car", flags->no_car, "CARs are not stored: a batch is done without one");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_todo(*flags); }; });
}

}  // namespace piecework::tools
