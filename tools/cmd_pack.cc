// `piecework pack SOURCE... --out DIR`: plan and pack in one go, the main job; or the batches of an existing plan.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "engine/pack_job.h"
#include "io/limits.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/memory_budget.h"
#include "tools/pack_monitor.h"
#include "tools/plan_flags.h"
#include "tools/progress.h"
#include "tools/sizes.h"
#include "tools/task_index.h"
#include "tools/test_build.h"

namespace piecework::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct PackFlags {
  PlanFlags plan;
  std::vector<const CLI::Option*> plan_options;  // that decide a plan
  std::string plan_path;
  std::string task;
  std::optional<int64_t> task_offset;
  bool all = false;
  std::string out_path;
  bool no_car = false;
  std::string io = "auto";
  bool stats = false;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 0;
  bool json = false;
  std::string events;
  std::string metrics_path;
};

Status check_flags(const PackFlags& flags) {
  const auto usage = [](std::string_view message) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::string(message));
  };
  const bool with_plan = !flags.plan_path.empty();
  if (with_plan == !flags.plan.sources.empty()) return usage("give either SOURCE... or --plan PLAN");
  if (!with_plan && (flags.all || !flags.task.empty())) return usage("--task and --all need --plan");
  for (const CLI::Option* option : flags.plan_options) {
    if (!with_plan || option->count() == 0) continue;
    return usage(fmt::format("{} decides a plan; with --plan it is too late", option->get_name()));
  }
  if (with_plan && flags.all == !flags.task.empty()) return usage("with --plan, give either --task N|auto or --all");
  if (flags.task_offset && flags.task != "auto") return usage("--task-offset needs --task auto");
  if (flags.json && flags.events == "-") return usage("--json and --events - both want standard output");
  return {};
}

Result<io::BackendKind> backend_kind(const std::string& name) {
  if (name == "uring") return io::BackendKind::kUring;
  if (name == "posix") return io::BackendKind::kPosix;
  return io::BackendKind::kAutomatic;
}

// The batch of --task; what the scheduler's variable made of it is said, for the job's log.
Result<uint32_t> task_of(const PackFlags& flags) {
  if (flags.task != "auto") return parse_task(flags.task);
  const auto read_variable = [](const char* name) -> const char* { return std::getenv(name); };
  PIECEWORK_ASSIGN(const TaskIndex task, task_from_environment(read_variable, flags.task_offset));
  print_message(fmt::format("task {} ({})", task.batch, task.origin));
  return task.batch;
}

Result<engine::PackRequest> request_of(const PackFlags& flags) {
  engine::PackRequest request;
  request.sources = sources_of(flags.plan);
  request.plan_path = flags.plan_path;
  request.output_path = flags.out_path;
  request.roots_path = flags.plan.roots_path;
  request.known_paths = flags.plan.known_paths;
  request.known_by_content = flags.plan.known_check;
  request.known_grain = known_grain(flags.plan);
  request.warning = [](std::string_view line) { print_message(fmt::format("warning: {}", line)); };
  PIECEWORK_ASSIGN(request.options, plan_options(flags.plan));
  PIECEWORK_ASSIGN(request.on_source_error, source_error_policy(flags.plan));
  PIECEWORK_ASSIGN(request.backend, backend_kind(flags.io));
  if (!flags.task.empty()) {
    PIECEWORK_ASSIGN(const uint32_t batch, task_of(flags));
    request.batches.push_back(batch);
  }
  request.store_car = !flags.no_car;
  request.thread_count = flags.thread_count;
  PIECEWORK_ASSIGN(request.memory_bytes, memory_budget_bytes(flags.memory_bytes, flags.thread_count));
  PIECEWORK_ASSIGN(request.scratch_path, scratch_path(flags.plan, {}));
  PIECEWORK_TRY(set_checkpoints_from_environment(request));
  request.stop = &stop_requested();
  if (flags.stats) request.notice = print_message;
  return request;
}

std::string path_in(const std::string& directory, const std::string& name) {
  return directory + (directory.back() == '/' ? "" : "/") + name;
}

Status print_pack_json(const PackFlags& flags, const engine::PackReport& report, double seconds) {
  Json json = {{"plan_digest", report.plan.digest_text()}, {"pieces", Json::array()}};
  for (const engine::PackedBatch& batch : report.batches) {
    const engine::Receipt& receipt = batch.receipt;
    const std::string receipt_path =
        path_in(flags.out_path, "receipts/" + receipt.plan_digest + "/" + engine::receipt_name(receipt.batch));
    Json piece = {
        {"batch", receipt.batch},
        {"piece_cid_v1", receipt.piece_cid_v1},
        {"piece_cid_v2", receipt.piece_cid_v2},
        {"root_cid", receipt.root_cid},
        {"payload_bytes", receipt.payload_bytes},
        {"padded_bytes", receipt.padded_bytes},
        {"block_count", receipt.block_count},
        {"file_count", receipt.file_count},
        {"resumed_bytes", batch.resumed_bytes},
        {"car", flags.no_car ? Json() : Json(path_in(flags.out_path, engine::car_name(receipt.piece_cid_v1)))},
        {"receipt", receipt_path}};
    if (flags.stats) {
      piece["waiting_segments_max"] = batch.waiting_segments_max;
      piece["waiting_bytes_max"] = batch.waiting_bytes_max;
    }
    json["pieces"].push_back(std::move(piece));
  }
  json["known_count"] = report.plan.known.item_count;
  json["known_bytes"] = report.plan.known.bytes;
  json["known_block_count"] = report.plan.known.block_count;
  json["known_block_bytes"] = report.plan.known.block_bytes;
  json["skipped"] = skipped_json(report.plan.skipped);
  if (flags.stats) json["resident_bytes_max"] = resident_bytes_max();
  json["seconds"] = seconds;
  json["bytes_per_second"] = seconds > 0 ? static_cast<double>(report.packed_bytes) / seconds : 0.0;
  return print_json(json);
}

Status print_pack_text(const PackFlags& flags, const engine::PackReport& report, double seconds) {
  if (report.plan.batches.empty()) return print_text("nothing new\n");
  std::string text;
  for (const engine::PackedBatch& batch : report.batches) {
    const engine::Receipt& receipt = batch.receipt;
    text += fmt::format(
        "piece {}{}\n  piece CID v1  {}\n  piece CID v2  {}\n  root CID      {}\n"
        "  payload       {} bytes ({}), padded {}\n  holds         {} files in {} blocks\n",
        receipt.batch, batch.was_done ? " (was done already)" : "", receipt.piece_cid_v1, receipt.piece_cid_v2,
        receipt.root_cid, receipt.payload_bytes, format_bytes(receipt.payload_bytes),
        format_bytes(receipt.padded_bytes), receipt.file_count, receipt.block_count);
    if (batch.resumed_bytes > 0) {
      text += fmt::format("  went on at    {} bytes ({})\n", batch.resumed_bytes, format_bytes(batch.resumed_bytes));
    }
    if (!flags.no_car) {
      text += fmt::format("  CAR           {}\n",
                          printable(path_in(flags.out_path, engine::car_name(receipt.piece_cid_v1))));
    }
  }
  text += fmt::format("{} packed in {:.2f} s, {}\n", format_bytes(report.packed_bytes), seconds,
                      format_rate(seconds > 0 ? static_cast<double>(report.packed_bytes) / seconds : 0.0));
  return print_text(text);
}

void warn_about_small_pieces(const engine::PackReport& report) {
  for (const engine::PackedBatch& batch : report.batches) {
    if (batch.receipt.payload_bytes >= engine::kQuadBytes) continue;
    print_message(
        fmt::format("warning: piece {} has {} bytes of payload; Go tools refuse version 2 piece CIDs under {} bytes",
                    batch.receipt.batch, batch.receipt.payload_bytes, engine::kQuadBytes));
  }
}

Status print_report(const PackFlags& flags, const engine::PackReport& report, double seconds) {
  warn_about_small_pieces(report);
  print_skipped(report.plan.skipped);
  print_known(report.plan.known);
  if (flags.json) return print_pack_json(flags, report, seconds);
  if (flags.events == "-") return {};  // standard output is the events'
  return print_pack_text(flags, report, seconds);
}

// The job, with progress for people and for whoever follows events and metrics.
Result<engine::PackReport> pack_observed(const PackFlags& flags, Result<engine::PackRequest> request) {
  std::string task = flags.task.empty() ? "all" : flags.task;
  if (request && !request->batches.empty()) task = fmt::format("{}", request->batches.front());
  engine::PackProgress progress;
  PackMonitor monitor({.events_target = flags.events,
                       .metrics_path = flags.metrics_path,
                       .output_path = flags.out_path,
                       .task = std::move(task),
                       .stall_limit = stall_limit()},
                      progress);
  Result<engine::PackReport> report = request.and_then([&](engine::PackRequest& job) {
    job.progress = &progress;
    job.observer = &monitor;
    const ProgressPrinter printer("packing", [&progress] {
      return ProgressSnapshot{progress.packed_bytes(), progress.planned_bytes.load(),
                              progress.plan.entries_seen.load() + progress.plan.read_bytes.load()};
    });
    return engine::run_pack_job(job);
  });
  monitor.finish(report ? kExitDone : exit_code_of(report.error()), report ? nullptr : &report.error());
  return report;
}

Result<int> run_pack(const PackFlags& flags) {
  PIECEWORK_TRY(check_flags(flags));
  PIECEWORK_TRY(io::raise_open_file_limit());
  const Clock::time_point begin = Clock::now();
  PIECEWORK_ASSIGN(const engine::PackReport report, pack_observed(flags, request_of(flags)));
  PIECEWORK_TRY(print_report(flags, report, std::chrono::duration<double>(Clock::now() - begin).count()));
  return kExitDone;
}

}  // namespace

void add_pack_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<PackFlags>();
  CLI::App* command = add_command(app, {.name = "pack",
                                        .summary = "Pack sources into pieces: CAR files, sidecars and receipts",
                                        .example = "piecework pack ~/sites --out pieces"});
  add_plan_flags(*command, flags->plan, true);
  for (const CLI::Option* option : command->get_options()) {
    const std::string name = option->get_name();
    const bool is_for_packing = name == "--help" || name == "--on-source-error" || name == "--scratch";
    if (name.starts_with("--") && !is_for_packing) flags->plan_options.push_back(option);
  }
  command->add_option("--plan", flags->plan_path, "Pack batches of this plan instead of sources");
  command->add_option("--task", flags->task,
                      "With --plan: the batch to pack, counted from 0; auto: the scheduler's index variable names it");
  command->add_option("--task-offset", flags->task_offset,
                      "With --task auto: index of the first task (default: 0; 1 for LSB_JOBINDEX and SGE_TASK_ID)");
  command->add_flag("--all", flags->all, "With --plan: every batch");
  command->add_option("--out", flags->out_path, "Output directory")->required();
  command->add_flag("--no-car", flags->no_car, "Compute everything, store no CAR");
  command->add_option("--io", flags->io, "How files are read and written: auto, uring or posix")
      ->check(CLI::IsMember({"auto", "uring", "posix"}))
      ->capture_default_str();
  command->add_flag("--stats", flags->stats,
                    "Say what was waited for and, with --json, the most memory that was resident");
  add_threads_flag(*command, flags->thread_count);
  add_memory_flag(*command, flags->memory_bytes);
  add_json_flag(*command, flags->json);
  command
      ->add_option("--events", flags->events,
                   "Append what happens to FILE as JSON lines, or print it (-); a failure to do so is a warning")
      ->type_name("FILE|-");
  command
      ->add_option("--metrics-file", flags->metrics_path,
                   "Keep Prometheus metrics in FILE, replaced every few seconds; a failure to do so is a warning")
      ->type_name("FILE");
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_pack(*flags); }; });
}

}  // namespace piecework::tools
