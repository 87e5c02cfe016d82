// `piecework plan SOURCE... --out PLAN`: what will come out, exactly, before any payload is packed.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/piece/piece_size.h"
#include "engine/plan/read_known.h"
#include "io/publish.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/memory_budget.h"
#include "tools/plan_flags.h"
#include "tools/progress.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

struct PlanCommandFlags {
  PlanFlags plan;
  std::string out_path;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 0;
  bool json = false;
};

struct PlanSums {
  uint64_t file_count = 0;
  uint64_t source_bytes = 0;
  uint64_t car_bytes = 0;
  uint64_t padded_bytes = 0;
  uint64_t duplicate_bytes = 0;
};

PlanSums sums_of(const engine::PlanSummary& plan) {
  PlanSums sums;
  for (const engine::PlannedBatch& batch : plan.batches) {
    sums.file_count += batch.totals.file_count;
    sums.source_bytes += batch.totals.source_bytes;
    sums.car_bytes += batch.totals.car_bytes;
    sums.padded_bytes += engine::padded_bytes_for(batch.totals.car_bytes);
    sums.duplicate_bytes += batch.totals.duplicate_bytes;
  }
  return sums;
}

double fill_of(const engine::PlanSummary& plan, const PlanSums& sums) {
  if (plan.batches.empty()) return 0;
  const double capacity_bytes =
      static_cast<double>(plan.batches.size()) * static_cast<double>(plan.options.payload_bytes_max);
  return static_cast<double>(sums.car_bytes) / capacity_bytes;
}

Status print_plan_json(const engine::PlanSummary& plan) {
  const PlanSums sums = sums_of(plan);
  Json json = {{"plan_digest", plan.digest_text()},
               {"batch_count", plan.batches.size()},
               {"file_count", sums.file_count},
               {"source_bytes", sums.source_bytes},
               {"car_bytes", sums.car_bytes},
               {"padded_bytes", sums.padded_bytes},
               {"fill", fill_of(plan, sums)},
               {"duplicate_bytes", sums.duplicate_bytes},
               {"known_count", plan.known.item_count},
               {"known_bytes", plan.known.bytes},
               {"known_block_count", plan.known.block_count},
               {"known_block_bytes", plan.known.block_bytes},
               {"batches", Json::array()},
               {"skipped", skipped_json(plan.skipped)}};
  for (const engine::PlannedBatch& batch : plan.batches) {
    json["batches"].push_back({{"batch", batch.batch},
                               {"digest", to_hex(batch.digest)},
                               {"file_count", batch.totals.file_count},
                               {"block_count", batch.totals.block_count},
                               {"source_bytes", batch.totals.source_bytes},
                               {"car_bytes", batch.totals.car_bytes},
                               {"padded_bytes", engine::padded_bytes_for(batch.totals.car_bytes)},
                               {"duplicate_bytes", batch.totals.duplicate_bytes},
                               {"external_count", batch.totals.external_count}});
  }
  return print_json(json);
}

Status print_plan_text(const engine::PlanSummary& plan) {
  const PlanSums sums = sums_of(plan);
  print_skipped(plan.skipped);
  print_known(plan.known);
  if (plan.batches.empty()) return print_text(fmt::format("plan          {}\nnothing new\n", plan.digest_text()));
  return print_text(fmt::format(
      "plan          {}\nbatches       {}\nfiles         {}\nsource bytes  {} ({})\nCAR bytes     {} ({})\n"
      "padded bytes  {} ({})\nduplicates    {} ({})\nfill          {:.1f} %\n",
      plan.digest_text(), plan.batches.size(), sums.file_count, sums.source_bytes, format_bytes(sums.source_bytes),
      sums.car_bytes, format_bytes(sums.car_bytes), sums.padded_bytes, format_bytes(sums.padded_bytes),
      sums.duplicate_bytes, format_bytes(sums.duplicate_bytes), 100 * fill_of(plan, sums)));
}

// The directory and the name of the plan file.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

// What earlier output directories hold; without --known, nothing.
Result<std::optional<engine::KnownItems>> known_items(const PlanCommandFlags& flags, engine::PlanRequest& request) {
  if (flags.plan.known_paths.empty()) return std::nullopt;
  PIECEWORK_ASSIGN(request.excluded_directories, engine::identities_of(flags.plan.known_paths));
  PIECEWORK_ASSIGN(engine::KnownItems items, engine::read_known_items({.directories = flags.plan.known_paths,
                                                                       .by_content = flags.plan.known_check,
                                                                       .grain = request.known_grain,
                                                                       .profile = request.options.profile,
                                                                       .stop = request.stop,
                                                                       .warning = request.warning}));
  return std::optional(std::move(items));
}

Result<engine::PlanSummary> write_plan(const PlanCommandFlags& flags, engine::PlanProgress& progress) {
  engine::PlanRequest request;
  PIECEWORK_ASSIGN(request.options, plan_options(flags.plan));
  PIECEWORK_ASSIGN(request.on_source_error, source_error_policy(flags.plan));
  request.known_grain = known_grain(flags.plan);
  request.thread_count = flags.thread_count;
  PIECEWORK_ASSIGN(request.memory_bytes, memory_budget_bytes(flags.memory_bytes, flags.thread_count));
  request.stop = &stop_requested();
  request.progress = &progress;
  const std::vector<engine::Source> sources = sources_of(flags.plan);
  PIECEWORK_ASSIGN(const engine::SourceSet opened, engine::SourceSet::open(sources, sources.size() > 1));
  PIECEWORK_TRY(engine::check_known_grain(opened, request.known_grain));
  const auto [directory_path, name] = split_path(flags.out_path);
  PIECEWORK_TRY(io::check_file_name(name));
  PIECEWORK_ASSIGN(const io::OutputDirectory directory, io::OutputDirectory::open_or_create(directory_path));
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(directory, "plan"));
  request.roots_path = flags.plan.roots_path;
  PIECEWORK_ASSIGN(request.scratch_path, scratch_path(flags.plan, directory.path()));
  request.warning = [](std::string_view line) { print_message(fmt::format("warning: {}", line)); };
  PIECEWORK_ASSIGN(const std::optional<engine::KnownItems> known, known_items(flags, request));
  if (known) request.known = &*known;
  PIECEWORK_ASSIGN(engine::PlanSummary plan, engine::make_plan(opened, request, file.path()));
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(name));
  if (outcome == io::CommitOutcome::kPublished) return plan;
  auto existing = engine::PlanReader::open(flags.out_path);
  if (existing && (*existing)->summary().digest == plan.digest) return plan;  // the same plan is there already
  return fail(
      ErrorCode::kInvalidArgument, ErrorSide::kConfig,
      fmt::format("'{}' exists and is another plan; choose another --out or remove it", printable(flags.out_path)));
}

Result<int> run_plan(const PlanCommandFlags& flags) {
  engine::PlanProgress progress;
  engine::PlanSummary plan;
  {
    const ProgressPrinter printer("reading", [&progress] {
      return ProgressSnapshot{progress.read_bytes.load(), 0, progress.entries_seen.load()};
    });
    PIECEWORK_ASSIGN(plan, write_plan(flags, progress));
  }
  PIECEWORK_TRY(flags.json ? print_plan_json(plan) : print_plan_text(plan));
  return kExitDone;
}

}  // namespace

void add_plan_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<PlanCommandFlags>();
  CLI::App* command =
      add_command(app, {.name = "plan",
                        .summary = "What will come out: batches, bytes, padded bytes, waste, duplicates",
                        .example = "piecework plan ~/sites --piece-size 32GiB --out sites.plan"});
  add_plan_flags(*command, flags->plan, false);
  command->add_option("--out", flags->out_path, "File to write the plan to")->required();
  add_threads_flag(*command, flags->thread_count);
  add_memory_flag(*command, flags->memory_bytes);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_plan(*flags); }; });
}

}  // namespace piecework::tools
