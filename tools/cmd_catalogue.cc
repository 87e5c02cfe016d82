// `piecework catalogue rebuild|check|dump`: a catalogue from the pieces alone, whether one is sound, and all it says.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/record/catalogue_compare.h"
#include "engine/record/catalogue_dump.h"
#include "tools/catalogue_flags.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct CatalogueFlags {
  std::string catalogue_path;
  std::vector<std::string> directories;
  std::vector<std::string> pieces_paths;
  std::string scratch_path;
  unsigned wait_s = 10;
  bool json = false;
};

Result<int> run_rebuild(const CatalogueFlags& flags) {
  std::vector<std::string> directories = flags.directories;
  directories.insert(directories.end(), flags.pieces_paths.begin(), flags.pieces_paths.end());
  engine::FillTotals totals;
  PIECEWORK_TRY(fill_catalogue({flags.catalogue_path, flags.wait_s}, true, "reading pieces",
                               [&](const engine::FillOptions& options, engine::CatalogueWriter& writer) {
                                 return engine::rebuild_from(directories, options, writer, totals);
                               }));
  PIECEWORK_TRY(print_fill_totals(totals, flags.json));
  if (totals.piece_count > 0) return kExitDone;
  print_message("no pieces there: expected <piece CID>.car or <piece CID>.nodes");
  return kExitMissing;
}

Result<int> run_check(const CatalogueFlags& flags) {
  std::vector<std::string> problems;
  {
    PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
    PIECEWORK_ASSIGN(problems, engine::check_catalogue(reader));
    if (problems.empty() && !flags.pieces_paths.empty()) {
      const std::string beside = std::filesystem::path(flags.catalogue_path).parent_path().string();
      const std::string scratch = !flags.scratch_path.empty() ? flags.scratch_path : beside.empty() ? "." : beside;
      PIECEWORK_ASSIGN(problems, engine::compare_with_pieces(reader, flags.pieces_paths, scratch, &stop_requested()));
    }
  }
  if (flags.json) {
    PIECEWORK_TRY(print_json({{"ok", problems.empty()}, {"problems", problems}}));
  } else {
    for (const std::string& problem : problems) print_message("problem: " + problem);
    PIECEWORK_TRY(print_text(problems.empty() ? "ok\n" : fmt::format("not ok: {} problems\n", problems.size())));
  }
  return problems.empty() ? kExitDone : kExitCorrupt;
}

Result<int> run_dump(const CatalogueFlags& flags) {
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  std::string lines;
  constexpr size_t kBufferBytes = 1 << 16;
  PIECEWORK_TRY(engine::dump_catalogue(reader, [&lines](const std::string& line) -> Status {
    lines += line;
    lines += '\n';
    if (lines.size() < kBufferBytes) return {};
    const Status printed = print_text(lines);
    lines.clear();
    return printed;
  }));
  PIECEWORK_TRY(print_text(lines));
  return kExitDone;
}

}  // namespace

void add_catalogue_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<CatalogueFlags>();
  CLI::App* command = add_command(app, {.name = "catalogue",
                                        .summary = "Rebuild, check or print a catalogue",
                                        .example = "piecework catalogue rebuild pieces --catalogue site.catalogue"});
  command->require_subcommand(1);
  CLI::App* rebuild = add_command(*command, {.name = "rebuild",
                                             .summary = "Make a catalogue from the pieces, and what receipts there are",
                                             .example = "piecework catalogue rebuild pieces --catalogue new.one"});
  rebuild->add_option("DIR", flags->directories, "Output directories, or wherever pieces lie")->required();
  rebuild->add_option("--catalogue", flags->catalogue_path, "The catalogue; made where it is missing")->required();
  rebuild->add_option("--pieces", flags->pieces_paths, "More directories in which pieces lie now");
  add_wait_flag(*rebuild, flags->wait_s);
  add_json_flag(*rebuild, flags->json);
  rebuild->callback([flags, &invocation] { invocation.run = [flags] { return run_rebuild(*flags); }; });
  CLI::App* check = add_command(*command, {.name = "check",
                                           .summary = "Is a catalogue sound, and does it say what the pieces hold?",
                                           .example = "piecework catalogue check site.catalogue --pieces pieces"});
  check->add_option("FILE", flags->catalogue_path, "The catalogue")->required();
  check->add_option("--pieces", flags->pieces_paths, "Compare with the pieces in these directories");
  check->add_option("--scratch", flags->scratch_path, "For a second catalogue while comparing (default: beside FILE)");
  add_json_flag(*check, flags->json);
  check->callback([flags, &invocation] { invocation.run = [flags] { return run_check(*flags); }; });
  CLI::App* dump = add_command(*command, {.name = "dump",
                                          .summary = "Print all that a catalogue says, as JSON lines in a fixed order",
                                          .example = "piecework catalogue dump site.catalogue --json"});
  dump->add_option("FILE", flags->catalogue_path, "The catalogue")->required();
  dump->add_flag("--json", flags->json, "JSON lines, which is what there is");
  dump->callback([flags, &invocation] { invocation.run = [flags] { return run_dump(*flags); }; });
}

}  // namespace piecework::tools
