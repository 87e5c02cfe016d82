// The subcommands of `piecework deal`: one function for each, as in tools/commands.h.
#pragma once

namespace CLI {
class App;
}

namespace piecework::tools {

struct Invocation;

void add_deal_plan_commands(CLI::App& deal, Invocation& invocation);     // plan, renew, repair
void add_deal_propose_commands(CLI::App& deal, Invocation& invocation);  // propose, reconcile
void add_deal_send_data_command(CLI::App& deal, Invocation& invocation);
void add_deal_track_commands(CLI::App& deal, Invocation& invocation);    // track, adopt
void add_deal_show_command(CLI::App& deal, Invocation& invocation);
void add_deal_file_commands(CLI::App& deal, Invocation& invocation);  // export, import
void add_deal_verify_wire_command(CLI::App& deal, Invocation& invocation);

}  // namespace piecework::tools
