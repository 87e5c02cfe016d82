// The entry: the table of commands, and the way from errors to exit codes. Nothing else.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "kernels/variant.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/test_build.h"

namespace piecework::tools {
namespace {

using AddCommand = void (*)(CLI::App&, Invocation&);
constexpr AddCommand kCommands[] = {
    add_commp_command,   add_fr32_command,   add_plan_command,        add_pack_command,      add_todo_command,
    add_verify_command,  add_merge_command,  add_find_command,        add_catalogue_command, add_ls_command,
    add_cat_command,     add_extract_command, add_drill_command,      add_repair_command,    add_prove_command,
    add_check_proof_command, add_serve_command, add_deal_command,     add_bench_command,     add_info_command,
};

int report(const Error& error) {
  print_message(error.message);
  return exit_code_of(error);
}

int report_usage(const CLI::App& app, const CLI::ParseError& parse_error) {
  std::string command = "piecework";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  print_message(parse_error.what());
  print_message("see '" + command + " --help'");
  return kExitUsage;
}

// PIECEWORK_FORCE_VARIANT=avx2 or sha256_nodes=avx2,fr32=scalar: for tests and measurements. A choice that this machine
// cannot make is refused: a measurement of something else would be worse than none.
Status force_variants_from_environment() {
  const char* specification = std::getenv("PIECEWORK_FORCE_VARIANT");
  if (specification == nullptr || *specification == '\0') return {};
  const kernels::ForceResult forced = kernels::force_variants(specification);
  if (forced.ok) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              "PIECEWORK_FORCE_VARIANT: '" + std::string(forced.refused) +
                  "' is unknown or this processor cannot run it; there is: " + available_variants());
}

// The exit code of a command line that ends the program by itself (help, version, wrong usage), or nothing.
std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& parse_error) {
    return report_usage(app, parse_error);
  }
}

int run(const Invocation& invocation) {
  try {
    const Result<int> finished = invocation.run();
    return finished ? *finished : report(finished.error());
  } catch (const std::bad_alloc&) {
    print_message("out of memory");
    return kExitResources;
  } catch (const std::system_error& error) {
    // A thread that cannot be started, for want of memory or of threads.
    const bool is_resource =
        error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
    print_message(std::string(is_resource ? "out of memory or threads: " : "internal error: ") + error.what());
    return is_resource ? kExitResources : kExitInternal;
  } catch (const std::exception& unexpected) {
    // oneTBB says of a thread that it cannot start no more than this.
    const bool is_resource = std::string_view(unexpected.what()).starts_with("pthread_create has failed");
    print_message(std::string(is_resource ? "out of memory or threads: " : "internal error: ") + unexpected.what());
    return is_resource ? kExitResources : kExitInternal;
  }
}

int main(int argc, char** argv) {
  install_signal_handlers();
  if (const Status forced = force_variants_from_environment(); !forced) return report(forced.error());
  if (const Status armed = arm_kill_point_from_environment(); !armed) return report(armed.error());

  CLI::App app{"Packs directories and content-addressed stores into Filecoin pieces", "piecework"};
  app.set_version_flag("--version", "piecework " + std::string(version()));
  app.footer("\n" + std::string(exit_code_help()));
  app.require_subcommand(0, 1);
  Invocation invocation;
  for (const AddCommand add : kCommands) add(app, invocation);

  if (const std::optional<int> exit_code = parse(app, argc, argv)) return *exit_code;
  if (!invocation.run) {
    std::cerr << app.help();
    return kExitUsage;
  }
  return run(invocation);
}

}  // namespace
}  // namespace piecework::tools

int main(int argc, char** argv) { return piecework::tools::main(argc, argv); }
