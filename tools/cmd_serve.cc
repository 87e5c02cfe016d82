// `piecework serve --dir DIR --listen 127.0.0.1:PORT`: gives out pieces over HTTP, for storage providers to fetch.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <thread>

#include "engine/serve/piece_shelf.h"
#include "io/limits.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/piece_server.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

struct ServeFlags {
  std::vector<std::string> directories;
  std::string listen = "127.0.0.1:7987";
  std::string token_path;
  std::string scratch;
  bool is_public = false;
  uint64_t bytes_per_second_max = 0;
  io::HttpServerOptions http;
};

tl::unexpected<Error> usage(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

// "ADDRESS:PORT", an IPv6 address in brackets.
Status parse_listen(const std::string& text, io::HttpServerOptions& options) {
  const size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return usage(fmt::format("--listen '{}': expected ADDRESS:PORT", printable(text)));
  }
  options.address = text.substr(0, colon);
  if (options.address.size() > 2 && options.address.front() == '[' && options.address.back() == ']') {
    options.address = options.address.substr(1, options.address.size() - 2);
  }
  return {};
}

bool is_loopback(const std::string& address) { return address == "::1" || address.rfind("127.", 0) == 0; }

// Whoever may reach the address may have the data: that has to be said.
Status check_access(const ServeFlags& flags) {
  if (is_loopback(flags.http.address) || !flags.token_path.empty() || flags.is_public) return {};
  return usage(fmt::format("--listen {}: others than this machine could fetch every piece; name --tokens FILE, or say "
                           "--public where that is meant",
                           printable(flags.http.address)));
}

Result<int> run_serve(ServeFlags flags) {
  PIECEWORK_TRY(parse_listen(flags.listen, flags.http));
  PIECEWORK_TRY(check_access(flags));
  PIECEWORK_TRY(io::raise_open_file_limit());
  std::optional<AccessTokens> tokens;
  if (!flags.token_path.empty()) {
    PIECEWORK_ASSIGN(tokens, AccessTokens::read(flags.token_path));
  }
  PIECEWORK_ASSIGN(const std::unique_ptr<engine::PieceShelf> shelf, engine::PieceShelf::open(flags.directories));
  PIECEWORK_ASSIGN(const std::unique_ptr<io::Backend> backend, io::make_backend({}));
  PieceServer pieces(*shelf, std::move(tokens), *backend,
                     {.bytes_per_second_max = flags.bytes_per_second_max,
                      .scratch_path = flags.scratch,
                      .stop = &stop_requested(),
                      .on_problem = [](const std::string& problem) { print_message(problem); }});
  // Stands before the first request, which may come before start() has returned.
  std::atomic<const io::HttpServer*> started = nullptr;
  pieces.set_counters([&started] {
    const io::HttpServer* running = started.load();
    return running == nullptr ? io::HttpCounters{} : running->counters();
  });
  PIECEWORK_ASSIGN(const std::unique_ptr<io::HttpServer> server,
                   io::HttpServer::start(flags.http, [&pieces](const io::HttpRequest& request) {
                     return pieces.answer(request);
                   }));
  started = server.get();
  const bool is_ipv6 = flags.http.address.find(':') != std::string::npos;
  PIECEWORK_TRY(print_text(fmt::format("serving {} pieces at http://{}{}{}:{}/piece/CID\n", shelf->piece_count(),
                                       is_ipv6 ? "[" : "", flags.http.address, is_ipv6 ? "]" : "", server->port())));
  while (!stop_requested().load()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return kExitDone;
}

}  // namespace

void add_serve_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* command =
      add_command(app, {.name = "serve",
                        .summary = "Give out pieces over HTTP, stored or made from their sources while they are sent",
                        .example = "piecework serve --dir pieces --listen 127.0.0.1:7987"});
  command->add_option("--dir", flags->directories, "Output directory of pack; any number of them")
      ->type_name("DIR")
      ->required();
  command->add_option("--listen", flags->listen, "Where to listen; port 0 takes a free one")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  command->add_option("--tokens", flags->token_path, "File of mode 0600 with a line NAME TOKEN for each provider")
      ->type_name("FILE");
  command->add_flag("--public", flags->is_public, "Without --tokens: let everybody fetch who can reach the address");
  command->add_option("--connections", flags->http.connection_count_max, "Connections at the same time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--connections-per-client", flags->http.connection_count_max_per_client, "Of one address; 0: all")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  add_size_flag(*command, "--rate", flags->bytes_per_second_max, "Bytes a second that one connection gets; 0: all");
  command->add_option("--idle-seconds", flags->http.idle_seconds_max, "Close a connection on which nothing moves")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command->add_option("--scratch", flags->scratch, "Directory for layouts of pieces that left files out")
      ->default_val("/tmp");
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_serve(*flags); }; });
}

}  // namespace piecework::tools
