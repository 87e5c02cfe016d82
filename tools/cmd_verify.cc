// `piecework verify CAR|DIR`: is everything there, and is it what its names say? Exit code 65 where the answer is no.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>

#include "engine/codec/piece_cid.h"
#include "engine/restore/verify.h"
#include "engine/restore/verify_directory.h"
#include "io/file.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/finding_text.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

struct VerifyFlags {
  std::string path;
  bool quick = false;
  bool zero_tail = false;
  bool no_car = false;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 0;
  bool json = false;
};

// What was checked: a CAR has facts, a directory has counts only.
struct Checked {
  engine::VerifyReport report;
  bool is_car = false;
  engine::CarFacts facts;
};

Json car_json(const engine::CarFacts& facts) {
  Json roots = Json::array();
  for (const engine::Cid& root : facts.roots) roots.push_back(root.text());
  return {{"roots", std::move(roots)},
          {"piece_cid_v1", engine::piece_cid_v1_text(facts.commp)},
          {"piece_cid_v2", engine::piece_cid_v2_text(facts.commp, facts.car_bytes)},
          {"payload_bytes", facts.car_bytes},
          {"padded_bytes", facts.padded_bytes},
          {"block_count", facts.block_count},
          {"duplicate_count", facts.duplicate_count},
          {"unreachable_count", facts.unreachable_count},
          {"car_version", facts.is_v2 ? 2 : 1},
          {"dfs_preorder", facts.is_dfs_preorder}};
}

// A CAR whose framing is broken has no piece CID that means anything.
bool has_facts(const Checked& checked) { return checked.is_car && !checked.facts.segment_roots.empty(); }

Status print_verify_json(const Checked& checked) {
  const engine::VerifyReport& report = checked.report;
  Json json = {{"ok", report.ok()},
               {"problems", findings_json(report.problems)},
               {"problem_count", report.problems.count()},
               {"warnings", findings_json(report.warnings)},
               {"warning_count", report.warnings.count()},
               {"external", findings_json(report.external)},
               {"external_count", report.external.count()},
               {"receipt_count", report.receipt_count},
               {"car_count", report.car_count},
               {"block_count", report.block_count},
               {"car_bytes", report.car_bytes}};
  if (has_facts(checked)) json["car"] = car_json(checked.facts);
  return print_json(json);
}

Status print_verify_text(const Checked& checked) {
  const engine::VerifyReport& report = checked.report;
  print_findings("warning", report.warnings);
  print_findings("problem", report.problems);
  std::string text;
  if (has_facts(checked)) {
    const engine::CarFacts& facts = checked.facts;
    for (const engine::Cid& root : facts.roots) text += fmt::format("root          {}\n", root.text());
    text += fmt::format("piece CID v1  {}\npiece CID v2  {}\n", engine::piece_cid_v1_text(facts.commp),
                        engine::piece_cid_v2_text(facts.commp, facts.car_bytes));
    text += fmt::format("order         {}\n", facts.is_dfs_preorder ? "depth-first pre-order" : "another");
  }
  if (!checked.is_car)
    text += fmt::format("receipts      {}\nCARs          {}\n", report.receipt_count, report.car_count);
  text += fmt::format("blocks        {}\nCAR bytes     {} ({})\n", report.block_count, report.car_bytes,
                      format_bytes(report.car_bytes));
  if (report.external.count() > 0) {
    text += fmt::format("external      {} links to blocks that are elsewhere on purpose, first {} {}\n",
                        report.external.count(), report.external.kept()[0].cid, report.external.kept()[0].actual);
  }
  text += report.ok() ? "ok\n" : fmt::format("not ok: {} problems\n", report.problems.count());
  return print_text(text);
}

Result<Checked> check(const VerifyFlags& flags, const engine::VerifyOptions& options) {
  Checked checked;
  PIECEWORK_ASSIGN(const io::File opened, io::open_named(flags.path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, opened.stamp());
  checked.is_car = !stamp.is_directory();
  if (checked.is_car) {
    PIECEWORK_ASSIGN(checked.facts, engine::verify_car(flags.path, options, checked.report));
  } else {
    PIECEWORK_TRY(engine::verify_directory(flags.path, options, checked.report));
  }
  return checked;
}

Result<int> run_verify(const VerifyFlags& flags) {
  std::atomic<uint64_t> done_bytes = 0;
  engine::VerifyOptions options;
  options.thread_count = flags.thread_count;
  if (flags.memory_bytes != 0) options.memory_bytes = flags.memory_bytes;
  options.zero_tail = flags.zero_tail;
  options.quick = flags.quick;
  options.expect_cars = !flags.no_car;
  options.stop = &stop_requested();
  options.done_bytes = &done_bytes;
  Checked checked;
  {
    const ProgressPrinter printer("verifying", [&done_bytes] { return ProgressSnapshot{done_bytes.load(), 0}; });
    PIECEWORK_ASSIGN(checked, check(flags, options));
  }
  PIECEWORK_TRY(flags.json ? print_verify_json(checked) : print_verify_text(checked));
  return checked.report.ok() ? kExitDone : kExitCorrupt;
}

}  // namespace

void add_verify_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command = add_command(app, {.name = "verify",
                                        .summary = "Check a CAR, or everything in an output directory",
                                        .example = "piecework verify --quick pieces"});
  command->add_option("CAR|DIR", flags->path, "A CAR, or the output directory of pack")->required();
  command->add_flag("--quick", flags->quick, "Of a directory: existence, lengths, trees and receipts; reads no CAR");
  command->add_flag("--no-car", flags->no_car, "Of a directory packed with --no-car: missing CARs are no problem");
  command->add_flag("--zero-tail", flags->zero_tail, "Accept zeros after the last section");
  add_threads_flag(*command, flags->thread_count);
  add_size_flag(*command, "--memory", flags->memory_bytes, "Memory for the index of blocks, 32 bytes each [1GiB]");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_verify(*flags); }; });
}

}  // namespace piecework::tools
