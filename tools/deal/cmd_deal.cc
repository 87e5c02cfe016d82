// `piecework deal ...`: from pieces to deals that the chain confirms.
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/deal/deal_commands.h"

namespace piecework::tools {

void add_deal_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      add_command(app, {.name = "deal",
                        .summary = "Offer pieces to storage providers and follow their deals",
                        .example = "piecework deal plan --policy sites.toml --catalogue site.catalogue"});
  command->require_subcommand(1);
  add_deal_plan_commands(*command, invocation);
  add_deal_propose_commands(*command, invocation);
  add_deal_send_data_command(*command, invocation);
  add_deal_track_commands(*command, invocation);
  add_deal_show_command(*command, invocation);
  add_deal_file_commands(*command, invocation);
  add_deal_verify_wire_command(*command, invocation);
}

}  // namespace piecework::tools
