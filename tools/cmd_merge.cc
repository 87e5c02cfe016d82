// `piecework merge --out DIR... --catalogue FILE`: what receipts say goes into the catalogue, in any order, any number
// of times.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/plan/plan_file.h"
#include "engine/record/catalogue_fill.h"
#include "tools/catalogue_flags.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct MergeFlags {
  std::string plan_path;
  std::vector<std::string> out_paths;
  std::string catalogue_path;
  bool strict = false;
  bool no_car = false;
  unsigned wait_s = 10;
  bool json = false;
};

Result<int> run_merge(const MergeFlags& flags) {
  std::string plan_digest;
  if (!flags.plan_path.empty()) {
    PIECEWORK_ASSIGN(const std::unique_ptr<engine::PlanReader> plan, engine::PlanReader::open(flags.plan_path));
    plan_digest = plan->summary().digest_text();
  }
  engine::FillTotals totals;
  PIECEWORK_TRY(fill_catalogue({flags.catalogue_path, flags.wait_s}, !flags.no_car, "merging",
                               [&](const engine::FillOptions& options, engine::CatalogueWriter& writer) -> Status {
                                 for (const std::string& out : flags.out_paths) {
                                   PIECEWORK_TRY(engine::merge_directory(out, plan_digest, options, writer, totals));
                                 }
                                 return {};
                               }));
  PIECEWORK_TRY(print_fill_totals(totals, flags.json));
  if (!flags.strict || totals.skipped_count == 0) return kExitDone;
  print_message(fmt::format("--strict: receipts name {} skipped items; the pieces are without them",
                            totals.skipped_count));
  return kExitCorrupt;
}

}  // namespace

void add_merge_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<MergeFlags>();
  CLI::App* command =
      add_command(app, {.name = "merge",
                        .summary = "Add finished batches to a catalogue; any order, any number of times",
                        .example = "piecework merge --out pieces --catalogue site.catalogue"});
  command->add_option("--plan", flags->plan_path, "Only batches of this plan (default: of every plan in --out)");
  command->add_option("--out", flags->out_paths, "Output directory of pack; several times for several")->required();
  command->add_option("--catalogue", flags->catalogue_path, "The catalogue; made where it is missing")->required();
  add_wait_flag(*command, flags->wait_s);
  command->add_flag("--strict", flags->strict, "Exit code 65 where receipts name skipped items");
  command->add_flag("--no-car", flags->no_car, "CARs are not stored: a batch is done without one");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_merge(*flags); }; });
}

}  // namespace piecework::tools
