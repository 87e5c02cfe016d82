// `piecework deal ...`: from pieces to deals that the chain confirms.
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/deal/deal_commands.h"

namespace piecework::tools {

void add_deal_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = add_command(app, {.name = "deal",
                                        .summary = "Offer pieces to storage providers and follow their deals",
                                        .example = "piecework deal verify-wire"});
  command->require_subcommand(1);
  add_deal_verify_wire_command(*command, invocation);
}

}  // namespace piecework::tools
