// The commands. One command = one file cmd_<name>.cc that exports one function; main.cc holds the table of them.
#pragma once

namespace CLI {
class App;
}

namespace piecework::tools {

struct Invocation;

// Each adds its command to `app`; parsing that command's line fills `invocation`, which outlives `app`.
void add_bench_command(CLI::App& app, Invocation& invocation);
void add_cat_command(CLI::App& app, Invocation& invocation);
void add_catalogue_command(CLI::App& app, Invocation& invocation);
void add_check_proof_command(CLI::App& app, Invocation& invocation);
void add_commp_command(CLI::App& app, Invocation& invocation);
void add_deal_command(CLI::App& app, Invocation& invocation);
void add_drill_command(CLI::App& app, Invocation& invocation);
void add_extract_command(CLI::App& app, Invocation& invocation);
void add_find_command(CLI::App& app, Invocation& invocation);
void add_fr32_command(CLI::App& app, Invocation& invocation);
void add_info_command(CLI::App& app, Invocation& invocation);
void add_ls_command(CLI::App& app, Invocation& invocation);
void add_merge_command(CLI::App& app, Invocation& invocation);
void add_pack_command(CLI::App& app, Invocation& invocation);
void add_plan_command(CLI::App& app, Invocation& invocation);
void add_prove_command(CLI::App& app, Invocation& invocation);
void add_repair_command(CLI::App& app, Invocation& invocation);
void add_serve_command(CLI::App& app, Invocation& invocation);
void add_todo_command(CLI::App& app, Invocation& invocation);
void add_verify_command(CLI::App& app, Invocation& invocation);

}  // namespace piecework::tools
