// `piecework check-proof PROOF --data FILE`: do exactly these bytes lie in these pieces under these CIDs and paths?
// Needs no CAR, no catalogue and no network. Exit code 65 where the answer is no.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/proof/check_proof.h"
#include "engine/proof/proof_data.h"
#include "engine/proof/proof_format.h"
#include "io/file.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct CheckProofFlags {
  std::string proof_path;
  std::string data_path;
  std::string piece;
  std::string cid;
  bool json = false;
};

Result<std::vector<uint8_t>> read_proof(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular() || stamp.size_bytes > engine::kProofBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("'{}': expected a file of at most {} bytes", printable(path), engine::kProofBytesMax));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(stamp.size_bytes));
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(bytes, 0));
  bytes.resize(read_bytes);
  return bytes;
}

// The proof may be right and about something else than what is asked.
Status check_wanted(const CheckProofFlags& flags, const engine::CheckedProof& checked) {
  const auto no = [](std::string message) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
  };
  if (!flags.piece.empty() && !(checked.piece_cids_v2 == std::vector{flags.piece})) {
    return no(fmt::format("the proof is about {}, not only about {}", checked.piece_cids_v2[0],
                          printable(flags.piece)));
  }
  const auto is_wanted = [&flags](const engine::CheckedItem& item) { return item.cid.text() == flags.cid; };
  if (!flags.cid.empty() && !std::ranges::all_of(checked.items, is_wanted)) {
    return no(fmt::format("the proof is about {}, not only about {}", checked.items[0].cid.text(),
                          printable(flags.cid)));
  }
  return {};
}

Result<engine::CheckedProof> check(const CheckProofFlags& flags, engine::ProofData& data) {
  PIECEWORK_ASSIGN(const std::vector<uint8_t> proof, read_proof(flags.proof_path));
  PIECEWORK_ASSIGN(engine::CheckedProof checked, engine::check_proof(proof, data));
  PIECEWORK_TRY(check_wanted(flags, checked));
  return checked;
}

Json range_json(const engine::CheckedProof& checked) {
  if (!checked.range) return Json();
  return {{"begin_bytes", checked.range->begin_bytes}, {"end_bytes", checked.range->end_bytes}};
}

Status print_yes_json(const engine::CheckedProof& checked) {
  Json items = Json::array();
  for (const engine::CheckedItem& item : checked.items) {
    Json json = Json::object();
    if (item.has_path) set_path(json, item.path);
    json["cid"] = item.cid.text();
    if (item.has_path) json["root_cid"] = item.root_cid.text();
    if (item.has_path) json["piece_cid_v2"] = item.piece_cid_v2;
    items.push_back(std::move(json));
  }
  return print_json({{"ok", true},
                     {"range", range_json(checked)},
                     {"items", std::move(items)},
                     {"pieces", checked.piece_cids_v2},
                     {"section_count", checked.section_count}});
}

Status print_yes_text(const engine::CheckedProof& checked) {
  std::string text;
  for (const engine::CheckedItem& item : checked.items) {
    text += fmt::format("item   {}", item.cid.text());
    if (item.has_path) text += fmt::format("  '{}' below {}", printable(item.path), item.root_cid.text());
    text += "\n";
  }
  if (checked.range) text += fmt::format("bytes  {} to {}\n", checked.range->begin_bytes, checked.range->end_bytes);
  for (const std::string& piece : checked.piece_cids_v2) text += fmt::format("piece  {}\n", piece);
  return print_text(text + "ok\n");
}

Result<int> run_check_proof(const CheckProofFlags& flags) {
  PIECEWORK_ASSIGN(engine::FileTreeData data, engine::FileTreeData::open(flags.data_path));
  const Result<engine::CheckedProof> checked = check(flags, data);
  if (checked) {
    PIECEWORK_TRY(flags.json ? print_yes_json(*checked) : print_yes_text(*checked));
    return kExitDone;
  }
  if (exit_code_of(checked.error()) != kExitCorrupt) return tl::unexpected<Error>(checked.error());
  print_message("no: " + checked.error().message);
  if (flags.json) PIECEWORK_TRY(print_json({{"ok", false}, {"reason", checked.error().message}}));
  return kExitCorrupt;
}

}  // namespace

void add_check_proof_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<CheckProofFlags>();
  CLI::App* command = add_command(app, {.name = "check-proof",
                                        .summary = "Check a proof against data, without CARs; 65: no",
                                        .example = "piecework check-proof b.proof --data b.txt"});
  command->add_option("PROOF", flags->proof_path, "A proof that prove made")->required();
  command->add_option("--data", flags->data_path, "The file, range of a file, or directory that it is about")
      ->required();
  command->add_option("--piece", flags->piece, "Say no unless it is about this piece alone")->type_name("PIECE_CID_V2");
  command->add_option("--cid", flags->cid, "Say no unless it is about this CID")->type_name("CID");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_check_proof(*flags); }; });
}

}  // namespace piecework::tools
