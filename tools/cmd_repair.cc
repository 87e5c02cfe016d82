// `piecework repair DIR [--yes]`: makes damaged files of an output directory again, or sets them aside.
//
// Without --yes it only says what it would do.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>

#include "engine/plan/source_set.h"
#include "engine/restore/repair.h"
#include "io/limits.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/memory_budget.h"
#include "tools/progress.h"

namespace piecework::tools {
namespace {

using Outcome = engine::BatchRepair::Outcome;

struct RepairFlags {
  std::string directory;
  std::vector<std::string> sources;
  bool yes = false;
  bool no_car = false;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 0;
  bool json = false;
};

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNone:
      return "none";
    case Outcome::kRebuilt:
      return "rebuilt";
    case Outcome::kSetAside:
      return "set-aside";
    case Outcome::kFailed:
      break;
  }
  return "failed";
}

Json repair_json(const engine::BatchRepair& repair) {
  return {{"plan_digest", repair.plan_digest},
          {"batch", repair.batch},
          {"piece_cid_v1", repair.piece_cid_v1},
          {"action", repair.can_rebuild() ? "rebuild" : "set-aside"},
          {"why_not_rebuild", repair.why_not},
          {"damaged", repair.damaged},
          {"missing", repair.missing},
          {"findings", repair.findings},
          {"outcome", name_of(repair.outcome)},
          {"set_aside", repair.set_aside},
          {"error", repair.error}};
}

// What would be done, or was.
std::string repair_text(const engine::BatchRepair& repair, bool is_applied) {
  std::string text = fmt::format("batch {} of plan {}\n", repair.batch, repair.plan_digest);
  for (const std::string& line : repair.findings) text += fmt::format("  found    {}\n", printable(line));
  if (!repair.can_rebuild()) text += fmt::format("  cannot be made again here: {}\n", printable(repair.why_not));
  const std::string_view verb = repair.can_rebuild() ? "rebuild  " : "set aside";
  for (const std::string& path : repair.damaged) text += fmt::format("  {} {}\n", verb, printable(path));
  for (const std::string& path : repair.missing) {
    text += fmt::format("  {} {} (missing)\n", repair.can_rebuild() ? "rebuild  " : "cannot   ", printable(path));
  }
  if (!is_applied) return text;
  text += fmt::format("  {}", name_of(repair.outcome));
  if (!repair.error.empty()) text += ": " + printable(repair.error);
  text += '\n';
  for (const std::string& path : repair.set_aside) text += fmt::format("  kept as  {}\n", printable(path));
  return text;
}

Result<engine::RepairRequest> request_of(const RepairFlags& flags, std::atomic<uint64_t>& done_bytes) {
  engine::RepairRequest request;
  request.directory = flags.directory;
  for (const std::string& source : flags.sources) request.sources.push_back(engine::parse_source(source));
  request.store_car = !flags.no_car;
  request.thread_count = flags.thread_count;
  PIECEWORK_ASSIGN(request.memory_bytes, memory_budget_bytes(flags.memory_bytes, flags.thread_count));
  request.stop = &stop_requested();
  request.done_bytes = &done_bytes;
  return request;
}

Status print_repairs(const RepairFlags& flags, const std::vector<engine::BatchRepair>& repairs) {
  if (flags.json) {
    Json json = {{"applied", flags.yes}, {"batch_count", repairs.size()}, {"batches", Json::array()}};
    for (const engine::BatchRepair& repair : repairs) json["batches"].push_back(repair_json(repair));
    return print_json(json);
  }
  std::string text;
  for (const engine::BatchRepair& repair : repairs) text += repair_text(repair, flags.yes);
  if (repairs.empty()) {
    text += "nothing to repair\n";
  } else if (!flags.yes) {
    text += "nothing was changed; do this with --yes\n";
  }
  return print_text(text);
}

// A destination that is full or fails, and resources that are short, are told from what is wrong with the pieces: then
// the same repair can succeed elsewhere or later.
int exit_code_for(const std::vector<engine::BatchRepair>& repairs) {
  const auto is_open = [](const engine::BatchRepair& repair) { return repair.outcome != Outcome::kRebuilt; };
  for (const engine::BatchRepair& repair : repairs) {
    if (!repair.cause) continue;
    const int code = exit_code_of(*repair.cause);
    if (code == kExitCannotWrite || code == kExitDestinationIo || code == kExitResources) return code;
  }
  return std::any_of(repairs.begin(), repairs.end(), is_open) ? kExitCorrupt : kExitDone;
}

Result<int> run_repair(const RepairFlags& flags) {
  PIECEWORK_TRY(io::raise_open_file_limit());
  std::atomic<uint64_t> done_bytes = 0;
  PIECEWORK_ASSIGN(const engine::RepairRequest request, request_of(flags, done_bytes));
  std::vector<engine::BatchRepair> repairs;
  {
    const ProgressPrinter printer("verifying", [&done_bytes] { return ProgressSnapshot{done_bytes.load(), 0}; });
    PIECEWORK_ASSIGN(repairs, engine::find_repairs(request));
    for (engine::BatchRepair& repair : repairs) {
      if (!flags.yes) break;
      print_message(fmt::format("batch {} of plan {}: {}", repair.batch, repair.plan_digest,
                                repair.can_rebuild() ? "making it again" : "setting damaged files aside"));
      PIECEWORK_TRY(engine::apply_repair(request, repair));
    }
  }
  PIECEWORK_TRY(print_repairs(flags, repairs));
  return exit_code_for(repairs);
}

}  // namespace

void add_repair_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<RepairFlags>();
  CLI::App* command =
      add_command(app, {.name = "repair",
                        .summary = "Make damaged files of an output directory again, or say what could be done",
                        .example = "piecework repair pieces --yes"});
  command->add_option("DIR", flags->directory, "Output directory of pack")->required();
  command->add_flag("--yes", flags->yes, "Do it; else it is only said");
  command->add_option("--source", flags->sources, "NAME=PATH: where a source of the plan is now, one for each of them")
      ->type_name("NAME=PATH");
  command->add_flag("--no-car", flags->no_car, "The directory was packed with --no-car: missing CARs are no damage");
  add_threads_flag(*command, flags->thread_count);
  add_memory_flag(*command, flags->memory_bytes);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_repair(*flags); }; });
}

}  // namespace piecework::tools
