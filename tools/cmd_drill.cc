// `piecework drill DIR... --sample N --seed S`: restores files chosen at random, as a test, and writes a report.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>

#include "engine/restore/drill.h"
#include "io/limits.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/finding_text.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/replace_file.h"
#include "tools/sizes.h"
#include "tools/timestamps.h"

namespace piecework::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct DrillFlags {
  engine::DrillRequest request;
  std::string report_path;
  std::string scratch;
  bool json = false;
};

Json report_json(const DrillFlags& flags, const engine::DrillReport& report, double seconds) {
  Json files = Json::array();
  for (const engine::DrilledFile& file : report.files) {
    Json json = Json::object();
    set_path(json, file.path);
    json["piece"] = file.piece;
    json["cid"] = file.cid;
    json["size_bytes"] = file.size_bytes;
    json["ok"] = file.is_ok;
    files.push_back(std::move(json));
  }
  return {{"ok", report.ok()},
          {"directories", flags.request.directories},
          {"seed", flags.request.seed},
          {"row_count", report.row_count},
          {"file_count", report.files.size()},
          {"content_bytes", report.content_bytes},
          {"seconds", seconds},
          {"faults", findings_json(report.faults)},
          {"fault_count", report.faults.count()},
          {"files", std::move(files)}};
}

Status print_drill_text(const engine::DrillReport& report, double seconds) {
  print_findings("fault", report.faults);
  return print_text(fmt::format(
      "checked {} of {} files, {} bytes ({}) in {:.2f} s\n{}", report.files.size(), report.row_count,
      report.content_bytes, format_bytes(report.content_bytes), seconds,
      report.ok() ? "ok\n" : fmt::format("not ok: {} faults\n", report.faults.count())));
}

Result<int> run_drill_command(const DrillFlags& flags) {
  PIECEWORK_TRY(io::raise_open_file_limit());
  const Clock::time_point begin = Clock::now();
  std::atomic<uint64_t> planned_bytes = 0;
  std::atomic<uint64_t> done_bytes = 0;
  engine::DrillRequest request = flags.request;
  request.scratch_directory = flags.scratch;
  request.stop = &stop_requested();
  request.planned_bytes = &planned_bytes;
  request.done_bytes = &done_bytes;
  engine::DrillReport report;
  {
    const ProgressPrinter printer("checking", [&planned_bytes, &done_bytes] {
      return ProgressSnapshot{done_bytes.load(), planned_bytes.load()};
    });
    PIECEWORK_ASSIGN(report, engine::run_drill(request));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const Json json = report_json(flags, report, seconds);
  if (!flags.report_path.empty()) {
    PIECEWORK_TRY(replace_file(flags.report_path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  }
  PIECEWORK_TRY(flags.json ? print_json(json) : print_drill_text(report, seconds));
  return report.ok() ? kExitDone : kExitCorrupt;
}

}  // namespace

void add_drill_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<DrillFlags>();
  CLI::App* command = add_command(app, {.name = "drill",
                                        .summary = "Restore files chosen at random, as a test; writes no file of them",
                                        .example = "piecework drill pieces --sample 100 --seed 7 --report drill.json"});
  command->add_option("DIR...", flags->request.directories, "Output directories of pack")->required();
  command->add_option("--sample", flags->request.sample_count, "Files and symlinks to check")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", flags->request.seed, "The same seed draws the same files from the same pieces")
      ->capture_default_str();
  command->add_option("--report", flags->report_path, "Write the report (as --json prints it) to FILE, replacing it")
      ->type_name("FILE");
  command->add_option("--scratch", flags->scratch, "Directory for an index of blocks that does not fit memory")
      ->default_val("/tmp");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_drill_command(*flags); }; });
}

}  // namespace piecework::tools
