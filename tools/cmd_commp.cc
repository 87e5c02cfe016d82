// `piecework commp FILE|-`: piece CIDs, payload and padded size of any bytes.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "engine/codec/piece_cid.h"
#include "engine/piece/commp.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

// Go's go-fil-commcid refuses version 2 CIDs of payloads below one quad.
constexpr uint64_t kPortablePayloadBytesMin = engine::kQuadBytes;

struct CommpFlags {
  std::string path;
  unsigned thread_count = 1;
  bool json = false;
};

void warn_about_size(const engine::Commp& commp) {
  if (commp.payload_bytes < kPortablePayloadBytesMin)
    print_message(fmt::format("warning: {} bytes of payload; Go tools refuse version 2 piece CIDs under {} bytes",
                              commp.payload_bytes, kPortablePayloadBytesMin));
  if (commp.padded_bytes > engine::kPieceBytesMax)
    print_message("warning: larger than 64 GiB padded; no sector holds this piece");
}

Status print_commp(const engine::Commp& commp, bool json) {
  const std::string v1 = engine::piece_cid_v1_text(commp.root);
  const std::string v2 = engine::piece_cid_v2_text(commp.root, commp.payload_bytes);
  if (json) {
    return print_json({{"piece_cid_v1", v1},
                       {"piece_cid_v2", v2},
                       {"payload_bytes", commp.payload_bytes},
                       {"padded_bytes", commp.padded_bytes}});
  }
  return print_text(fmt::format("piece CID v1   {}\npiece CID v2   {}\npayload bytes  {}\npadded bytes   {}\n", v1, v2,
                                commp.payload_bytes, commp.padded_bytes));
}

Result<int> run_commp(const CommpFlags& flags) {
  const engine::CommpOptions options{.thread_count = flags.thread_count, .stop = &stop_requested()};
  PIECEWORK_ASSIGN(const engine::Commp commp, flags.path == "-"
                                                  ? engine::commp_of_descriptor(STDIN_FILENO, "standard input", options)
                                                  : engine::commp_of_file(flags.path, options));
  warn_about_size(commp);
  PIECEWORK_TRY(print_commp(commp, flags.json));
  return kExitDone;
}

}  // namespace

void add_commp_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<CommpFlags>();
  CLI::App* command = add_command(app, {.name = "commp",
                                        .summary = "Piece CIDs, payload and padded size of any bytes",
                                        .example = "piecework commp --json piece.car"});
  command->add_option("FILE", flags->path, "File to read, or - for standard input")->required();
  add_threads_flag(*command, flags->thread_count);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_commp(*flags); }; });
}

}  // namespace piecework::tools
