// The subcommands of `piecework deal`: one function for each, as in tools/commands.h.
#pragma once

namespace CLI {
class App;
}

namespace piecework::tools {

struct Invocation;

void add_deal_verify_wire_command(CLI::App& deal, Invocation& invocation);

}  // namespace piecework::tools
