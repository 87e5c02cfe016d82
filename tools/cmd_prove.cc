// `piecework prove PATH|CID --pieces DIR... --out PROOF`: a proof that a file, a range of one, or a directory lies in
// pieces. With --catalogue FILE only the pieces that it needs are looked at.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "engine/proof/build_proof.h"
#include "engine/proof/item_locator.h"
#include "engine/proof/proof_format.h"
#include "engine/record/batch_state.h"
#include "kernels/base/units.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/replace_file.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

struct ProveFlags {
  std::string item;
  std::vector<std::string> pieces_paths;
  std::string catalogue_path;
  std::string out_path;
  std::string range;
  bool json = false;
};

// "A-B": from byte A up to, and without, byte B.
Result<engine::ProofRange> parse_range(const std::string& text) {
  engine::ProofRange range;
  const char* const end = text.data() + text.size();
  const auto [dash, begin_error] = std::from_chars(text.data(), end, range.begin_bytes);
  if (begin_error == std::errc() && dash != end && *dash == '-') {
    const auto [rest, end_error] = std::from_chars(dash + 1, end, range.end_bytes);
    if (end_error == std::errc() && rest == end && range.begin_bytes < range.end_bytes) return range;
  }
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("--range '{}': expected A-B with A < B, from byte A up to and without byte B",
                          printable(text)));
}

Status print_prove_json(const ProveFlags& flags, const engine::BuiltProof& built) {
  Json items = Json::array();
  for (const engine::ProvenItem& item : built.items) {
    Json json = Json::object();
    if (item.has_path) set_path(json, item.path);
    json["cid"] = item.cid.text();
    if (item.has_path) json["piece_cid_v2"] = item.piece_cid_v2;
    items.push_back(std::move(json));
  }
  Json json = {{"items", std::move(items)},
               {"pieces", built.piece_cids_v2},
               {"section_count", built.section_count},
               {"proof_bytes", built.bytes.size()}};
  json["proof"] = flags.out_path;
  return print_json(json);
}

Status print_prove_text(const ProveFlags& flags, const engine::BuiltProof& built) {
  std::string text;
  for (const engine::ProvenItem& item : built.items) {
    const std::string path = item.has_path ? fmt::format("  '{}'", printable(item.path)) : "";
    text += fmt::format("item   {}{}\n", item.cid.text(), path);
  }
  for (const std::string& piece : built.piece_cids_v2) text += fmt::format("piece  {}\n", piece);
  text += fmt::format("proof  {} ({})\n", printable(flags.out_path), format_bytes(built.bytes.size()));
  return print_text(text);
}

Result<engine::BuiltProof> build(const engine::ProofRequest& request, const ProveFlags& flags) {
  if (flags.catalogue_path.empty()) {
    engine::DirectoryLocator locator(flags.pieces_paths);
    return engine::build_proof(request, locator);
  }
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  const engine::PieceDirectories directories(flags.pieces_paths, engine::tree_name);
  engine::CatalogueLocator locator(reader, directories);
  return engine::build_proof(request, locator);
}

Result<int> run_prove(const ProveFlags& flags) {
  engine::ProofRequest request{.path_or_cid = flags.item};
  if (!flags.range.empty()) {
    PIECEWORK_ASSIGN(request.range, parse_range(flags.range));
  }
  PIECEWORK_ASSIGN(const engine::BuiltProof built, build(request, flags));
  PIECEWORK_TRY(replace_file(flags.out_path, as_text(built.bytes)));
  PIECEWORK_TRY(flags.json ? print_prove_json(flags, built) : print_prove_text(flags, built));
  return kExitDone;
}

}  // namespace

void add_prove_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<ProveFlags>();
  CLI::App* command = add_command(app, {.name = "prove",
                                        .summary = "Prove that a file or directory lies in pieces",
                                        .example = "piecework prove a/b.txt --pieces pieces --out b.proof"});
  command->add_option("PATH|CID", flags->item, "A path as pack stored it ('.': everything), or a CID")->required();
  command
      ->add_option("--pieces", flags->pieces_paths, "Output directory of pack, with CARs; several times for several")
      ->required()
      ->allow_extra_args(false)
      ->type_name("DIR");
  command->add_option("--catalogue", flags->catalogue_path,
                      "Look only at the pieces that this catalogue says are needed, wherever in --pieces they lie");
  command
      ->add_option("--out", flags->out_path,
                   fmt::format("The proof, of at most {} MiB; replaced where it exists", engine::kProofBytesMax / kMiB))
      ->required();
  command->add_option("--range", flags->range, "Of a file: only bytes A up to, and without, B")->type_name("A-B");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_prove(*flags); }; });
}

}  // namespace piecework::tools
