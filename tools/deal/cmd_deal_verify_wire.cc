// `piecework deal verify-wire`: does this build write and sign deals as other implementations do?
#include <fmt/format.h>

#include <memory>

#include "engine/deal/wire_check.h"
#include "tools/cli.h"
#include "tools/deal/deal_commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

Result<int> run_verify_wire(bool json) {
  const std::vector<engine::WireCheck> checks = engine::check_wire();
  bool is_right = true;
  Json rows = Json::array();
  std::string text;
  for (const engine::WireCheck& check : checks) {
    is_right = is_right && check.is_right();
    rows.push_back(
        {{"name", check.name}, {"ok", check.is_right()}, {"expected", check.expected}, {"actual", check.actual}});
    text += check.is_right()
                ? fmt::format("ok     {}\n", check.name)
                : fmt::format("WRONG  {}\n  expected  {}\n  actual    {}\n", check.name, check.expected, check.actual);
  }
  PIECEWORK_TRY(json ? print_json({{"ok", is_right}, {"checks", rows}}) : print_text(text));
  return is_right ? kExitDone : kExitInternal;
}

}  // namespace

void add_deal_verify_wire_command(CLI::App& deal, Invocation& invocation) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = add_command(deal, {.name = "verify-wire",
                                         .summary = "Check proposals, signatures and headers against known ones",
                                         .example = "piecework deal verify-wire"});
  add_json_flag(*command, *json);
  command->callback([json, &invocation] { invocation.run = [json] { return run_verify_wire(*json); }; });
}

}  // namespace piecework::tools
