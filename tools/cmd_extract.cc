// `piecework extract CAR... [PATH] --out DIR`: files out of CARs, every block checked; or a DAG as a CAR of its own.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "engine/restore/export_dag.h"
#include "engine/restore/restore_tree.h"
#include "tools/car_flags.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/finding_text.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct ExtractFlags {
  CarFlags cars;
  std::string out_path;
  std::string dag;
  bool verify_only = false;
  bool sync = false;
  std::string symlinks = "inside";
  engine::RestoreLimits limits;
  unsigned thread_count = 1;
  bool json = false;
};

Status check_flags(const ExtractFlags& flags) {
  const auto usage = [](std::string_view message) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::string(message));
  };
  if (flags.verify_only == !flags.out_path.empty()) return usage("give either --out or --verify-only");
  if (flags.dag.empty()) return {};
  if (flags.verify_only) return usage("--car needs --out FILE");
  const bool has_place = !flags.cars.root.empty() || !split_arguments(flags.cars).path.empty();
  if (has_place) return usage("--car takes no path or --root");
  return {};
}

Status print_extract_json(const ExtractFlags& flags, const engine::RestoreReport& report, double seconds) {
  Json left_out = Json::array();
  for (const engine::LeftOutSymlink& symlink : report.left_out) {
    Json json = Json::object();
    set_path(json, symlink.path);
    json["target"] = symlink.link_target;
    left_out.push_back(std::move(json));
  }
  return print_json({{"ok", report.ok()},
                     {"verify_only", flags.verify_only},
                     {"file_count", report.file_count},
                     {"directory_count", report.directory_count},
                     {"symlink_count", report.symlink_count},
                     {"content_bytes", report.content_bytes},
                     {"kept_count", report.kept_count},
                     {"problems", findings_json(report.problems)},
                     {"problem_count", report.problems.count()},
                     {"conflicts", findings_json(report.conflicts)},
                     {"conflict_count", report.conflicts.count()},
                     {"left_out", std::move(left_out)},
                     {"left_out_count", report.left_out_count},
                     {"seconds", seconds}});
}

void print_left_out(const engine::RestoreReport& report) {
  for (const engine::LeftOutSymlink& symlink : report.left_out) {
    print_message(fmt::format("warning: symlink '{}' -> '{}' leads out and is left out; see --allow-symlinks",
                              printable(symlink.path), printable(symlink.link_target)));
  }
  if (report.left_out_count > report.left_out.size()) {
    const uint64_t more_count = report.left_out_count - report.left_out.size();
    print_message(fmt::format("warning: {} more symlinks are left out", more_count));
  }
}

Status print_extract_text(const ExtractFlags& flags, const engine::RestoreReport& report, double seconds) {
  return print_text(fmt::format(
      "{} {} files, {} directories, {} symlinks\n{} bytes ({}) in {:.2f} s, {}\n{}",
      flags.verify_only ? "checked" : "restored", report.file_count, report.directory_count, report.symlink_count,
      report.content_bytes, format_bytes(report.content_bytes), seconds,
      format_rate(seconds > 0 ? static_cast<double>(report.content_bytes) / seconds : 0.0),
      report.ok() ? "" : fmt::format("not ok: {} problems, {} names taken\n", report.problems.count(),
                                     report.conflicts.count())));
}

Result<int> finish(const ExtractFlags& flags, const engine::RestoreReport& report, double seconds) {
  print_left_out(report);
  print_findings("problem", report.problems);
  print_findings("conflict", report.conflicts);
  PIECEWORK_TRY(flags.json ? print_extract_json(flags, report, seconds) : print_extract_text(flags, report, seconds));
  if (report.problems.count() > 0) return kExitCorrupt;
  return report.conflicts.count() > 0 ? kExitCannotWrite : kExitDone;
}

Result<int> restore(const ExtractFlags& flags, const OpenedCars& cars) {
  const Clock::time_point begin = Clock::now();
  if (cars.roots.empty()) PIECEWORK_TRY(cars.store->require_roots());
  std::optional<io::RestoreTarget> target;
  if (!flags.verify_only) {
    PIECEWORK_ASSIGN(target, io::RestoreTarget::open(flags.out_path));
  }
  std::atomic<uint64_t> planned_bytes = 0;
  std::atomic<uint64_t> done_bytes = 0;
  engine::RestoreRequest request;
  request.roots = cars.roots;
  request.path = cars.path;
  request.symlinks = flags.symlinks == "any" ? engine::SymlinkPolicy::kAny : engine::SymlinkPolicy::kInside;
  request.limits = flags.limits;
  request.sync = flags.sync;
  request.thread_count = flags.thread_count;
  request.stop = &stop_requested();
  request.planned_bytes = &planned_bytes;
  request.done_bytes = &done_bytes;
  engine::BlockReader reader(*cars.store);
  engine::RestoreReport report;
  {
    const ProgressPrinter printer(flags.verify_only ? "checking" : "restoring", [&planned_bytes, &done_bytes] {
      return ProgressSnapshot{done_bytes.load(), planned_bytes.load()};
    });
    PIECEWORK_ASSIGN(report, engine::restore_trees(reader, request, target ? &*target : nullptr));
  }
  return finish(flags, report, std::chrono::duration<double>(Clock::now() - begin).count());
}

Result<int> export_car(const ExtractFlags& flags, const OpenedCars& cars) {
  PIECEWORK_ASSIGN(const engine::Cid root, engine::parse_cid(flags.dag));
  std::atomic<uint64_t> done_bytes = 0;
  engine::ExportedDag exported;
  {
    const ProgressPrinter printer("writing", [&done_bytes] { return ProgressSnapshot{done_bytes.load(), 0}; });
    PIECEWORK_ASSIGN(exported,
                     engine::export_dag(*cars.store, root, flags.out_path, &stop_requested(), &done_bytes));
  }
  if (!flags.json) {
    PIECEWORK_TRY(print_text(fmt::format("{} blocks, {} bytes\n", exported.block_count, exported.car_bytes)));
    return kExitDone;
  }
  PIECEWORK_TRY(print_json(
      {{"root_cid", root.text()}, {"block_count", exported.block_count}, {"car_bytes", exported.car_bytes}}));
  return kExitDone;
}

Result<int> run_extract(const ExtractFlags& flags) {
  PIECEWORK_TRY(check_flags(flags));
  CarFlags car_flags = flags.cars;
  if (!car_flags.catalogue_path.empty() && !flags.dag.empty()) car_flags.root = flags.dag;
  PIECEWORK_ASSIGN(const OpenedCars cars, open_car_arguments(car_flags));
  return flags.dag.empty() ? restore(flags, cars) : export_car(flags, cars);
}

}  // namespace

void add_extract_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<ExtractFlags>();
  CLI::App* command = add_command(app, {.name = "extract",
                                        .summary = "Restore files from CARs, every block checked",
                                        .example = "piecework extract pieces/ --out restored"});
  add_car_flags(*command, flags->cars);
  command->add_option("--out", flags->out_path,
                      "Directory to restore into; what is there is never overwritten, equal files are kept. "
                      "With --car: the CAR to write");
  command->add_flag("--verify-only", flags->verify_only, "Read and check everything, write nothing");
  command->add_flag("--sync", flags->sync, "At the end, wait until everything that was restored is on the disk");
  command->add_option("--car", flags->dag, "Write the DAG of this block as a CAR, as `ipfs dag export` does")
      ->type_name("CID");
  command
      ->add_option("--allow-symlinks", flags->symlinks,
                   "inside: only symlinks that cannot lead out of the directory, the others are listed; any")
      ->check(CLI::IsMember({"inside", "any"}))
      ->capture_default_str();
  command->add_option("--max-entries", flags->limits.entry_count_max, "Refuse a tree with more entries")
      ->capture_default_str();
  add_size_flag(*command, "--max-bytes", flags->limits.content_bytes_max, "Refuse a tree with more bytes [64TiB]");
  command->add_option("--max-depth", flags->limits.depth_max, "Refuse a tree with more directories in directories")
      ->capture_default_str();
  add_threads_flag(*command, flags->thread_count);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_extract(*flags); }; });
}

}  // namespace piecework::tools
