// `piecework pack SOURCE... --out DIR`: plan and pack in one go, the main job; or the batches of an existing plan.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <memory>
#include <string>

#include "engine/pack_job.h"
#include "io/limits.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/plan_flags.h"
#include "tools/progress.h"
#include "tools/sizes.h"
#include "tools/test_build.h"

namespace piecework::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct PackFlags {
  PlanFlags plan;
  std::string plan_path;
  std::string task;
  bool all = false;
  std::string out_path;
  bool no_car = false;
  std::string io = "auto";
  bool stats = false;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 0;
  bool json = false;
};

Status check_flags(const PackFlags& flags) {
  const auto usage = [](std::string_view message) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::string(message));
  };
  const bool with_plan = !flags.plan_path.empty();
  if (with_plan == !flags.plan.sources.empty()) return usage("give either SOURCE... or --plan PLAN");
  if (!with_plan && (flags.all || !flags.task.empty())) return usage("--task and --all need --plan");
  if (with_plan && flags.all == !flags.task.empty()) return usage("with --plan, give either --task N or --all");
  return {};
}

Result<io::BackendKind> backend_kind(const std::string& name) {
  if (name == "uring") return io::BackendKind::kUring;
  if (name == "posix") return io::BackendKind::kPosix;
  return io::BackendKind::kAutomatic;
}

Result<engine::PackRequest> request_of(const PackFlags& flags) {
  engine::PackRequest request;
  request.sources = sources_of(flags.plan);
  request.plan_path = flags.plan_path;
  request.output_path = flags.out_path;
  PIECEWORK_ASSIGN(request.options, plan_options(flags.plan));
  PIECEWORK_ASSIGN(request.on_source_error, source_error_policy(flags.plan));
  PIECEWORK_ASSIGN(request.backend, backend_kind(flags.io));
  if (!flags.task.empty()) {
    uint32_t batch = 0;
    const char* end = flags.task.data() + flags.task.size();
    const auto [stop, code] = std::from_chars(flags.task.data(), end, batch);
    if (code != std::errc() || stop != end) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("--task '{}': expected a number from 0 on", printable(flags.task)));
    }
    request.batches.push_back(batch);
  }
  request.store_car = !flags.no_car;
  request.thread_count = flags.thread_count;
  request.memory_bytes = flags.memory_bytes != 0 ? flags.memory_bytes : default_memory_bytes(flags.thread_count);
  PIECEWORK_TRY(set_checkpoints_from_environment(request));
  request.stop = &stop_requested();
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
  json["skipped"] = skipped_json(report.plan.skipped);
  json["seconds"] = seconds;
  json["bytes_per_second"] = seconds > 0 ? static_cast<double>(report.packed_bytes) / seconds : 0.0;
  return print_json(json);
}

Status print_pack_text(const PackFlags& flags, const engine::PackReport& report, double seconds) {
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

Result<int> run_pack(const PackFlags& flags) {
  PIECEWORK_TRY(check_flags(flags));
  PIECEWORK_ASSIGN(engine::PackRequest request, request_of(flags));
  PIECEWORK_TRY(io::raise_open_file_limit());
  engine::PackProgress progress;
  request.progress = &progress;
  if (flags.stats) request.notice = print_message;
  const Clock::time_point begin = Clock::now();
  engine::PackReport report;
  {
    const ProgressPrinter printer("packing", [&progress] {
      return ProgressSnapshot{progress.finished_bytes.load() + progress.batch_bytes.load(),
                              progress.planned_bytes.load()};
    });
    PIECEWORK_ASSIGN(report, engine::run_pack_job(request));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  warn_about_small_pieces(report);
  print_skipped(report.plan.skipped);
  PIECEWORK_TRY(flags.json ? print_pack_json(flags, report, seconds) : print_pack_text(flags, report, seconds));
  return kExitDone;
}

}  // namespace

void add_pack_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<PackFlags>();
  CLI::App* command = add_command(app, {.name = "pack",
                                        .summary = "Pack sources into pieces: CAR files, sidecars and receipts",
                                        .example = "piecework pack ~/sites --out pieces"});
  add_plan_flags(*command, flags->plan, true);
  command->add_option("--plan", flags->plan_path, "Pack batches of this plan instead of sources");
  command->add_option("--task", flags->task, "With --plan: the batch to pack, counted from 0");
  command->add_flag("--all", flags->all, "With --plan: every batch");
  command->add_option("--out", flags->out_path, "Output directory")->required();
  command->add_flag("--no-car", flags->no_car, "Compute everything, store no CAR");
  command->add_option("--io", flags->io, "How files are read and written: auto, uring or posix")
      ->check(CLI::IsMember({"auto", "uring", "posix"}))
      ->capture_default_str();
  command->add_flag("--stats", flags->stats, "Say what was waited for");
  add_threads_flag(*command, flags->thread_count);
  add_memory_flag(*command, flags->memory_bytes);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_pack(*flags); }; });
}

}  // namespace piecework::tools
