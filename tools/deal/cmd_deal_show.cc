// `piecework deal show PATH|CID|PIECE`: every deal and attempt of the pieces that hold it, and what each rests on.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "engine/record/catalogue_find.h"
#include "engine/record/deal_book.h"
#include "tools/cli.h"
#include "tools/deal/deal_commands.h"
#include "tools/deal/deal_report.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/timestamps.h"

namespace piecework::tools {
namespace {

struct ShowFlags {
  std::string what;
  std::string catalogue_path;
  bool json = false;
};

Json observation_json(const engine::Observation& seen) {
  Json json = {{"at", rfc3339_utc(std::chrono::system_clock::time_point(std::chrono::seconds(seen.at_s)))},
               {"source", name_of(seen.source)},
               {"verdict", name_of(seen.verdict)}};
  if (seen.source == engine::ObservationSource::kChain) {
    json["is_ours"] = seen.is_ours;
    json["is_finalized"] = seen.is_finalized;
    json["head_epoch"] = seen.head_epoch;
    json["tipset_epoch"] = seen.tipset_epoch;
    json["tipset"] = printable(seen.tipset);
  }
  json["endpoint"] = printable(seen.endpoint);
  json["method"] = printable(seen.method);
  json["raw_sha256"] = seen.raw_sha256;
  json["detail"] = printable(seen.detail);
  return json;
}

Json attempt_json(const engine::OpenAttempt& open, const std::vector<engine::Observation>& history) {
  const engine::AttemptTerms& terms = open.attempt.terms;
  Json json = {{"provider", open.intent.provider},
               {"network", open.intent.network},
               {"slot", open.intent.slot},
               {"generation", open.intent.generation},
               {"reason", name_of(open.intent.reason)},
               {"protocol", open.attempt.protocol},
               {"client_key", open.attempt.prepared.client_key},
               {"signed_proposal_cid", open.attempt.prepared.signed_proposal_cid.text()},
               {"attempt", name_of(open.attempt.state)},
               {"deal", name_of(open.deal_state)},
               {"start_epoch", terms.start_epoch},
               {"end_epoch", terms.end_epoch},
               {"price_per_epoch_attofil", terms.price_per_epoch.text()},
               {"history", Json::array()}};
  for (const engine::Observation& seen : history) json["history"].push_back(observation_json(seen));
  return json;
}

std::string attempt_text(const engine::OpenAttempt& open) {
  return fmt::format("  attempt {} with {} on {} (slot {}, generation {}, {}): {}\n", open.attempt.prepared.client_key,
                     open.intent.provider, open.intent.network, open.intent.slot, open.intent.generation,
                     name_of(open.intent.reason), name_of(open.attempt.state));
}

Result<Json> show_piece(const engine::FoundPiece& piece, engine::DealBook& book, std::string& text) {
  Json json = {{"piece_cid_v1", piece.facts.cid_v1}, {"piece_cid_v2", piece.facts.cid_v2}};
  json["deals"] = Json::array();
  json["attempts"] = Json::array();
  text += fmt::format("piece {}\n", piece.facts.cid_v1);
  for (const engine::CatalogueDeal& deal : piece.deals) {
    text += deal_text(deal);
    json["deals"].push_back(deal_json(deal, piece.facts, ""));
  }
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> attempts, book.attempts_of(piece.facts.id));
  for (const engine::OpenAttempt& open : attempts) {
    PIECEWORK_ASSIGN(const auto history, book.history(engine::Subject::attempt(open.attempt.id)));
    text += attempt_text(open);
    json["attempts"].push_back(attempt_json(open, history));
  }
  if (piece.deals.empty() && attempts.empty()) text += "  nothing was proposed\n";
  return json;
}

Result<int> run_show(const ShowFlags& flags) {
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  PIECEWORK_ASSIGN(engine::DealBook book, engine::DealBook::open_to_read(flags.catalogue_path));
  std::string text;
  Json pieces = Json::array();
  std::set<uint64_t> shown;
  PIECEWORK_TRY(engine::find_in_catalogue(reader, {.what = flags.what}, [&](const auto& version) -> Status {
    for (const engine::FoundPiece& piece : version.pieces) {
      if (!shown.insert(piece.facts.id).second) continue;
      PIECEWORK_ASSIGN(Json json, show_piece(piece, book, text));
      pieces.push_back(std::move(json));
    }
    return {};
  }));
  PIECEWORK_TRY(flags.json ? print_json({{"pieces", pieces}}) : print_text(text));
  if (!shown.empty()) return kExitDone;
  print_message(fmt::format("'{}' is in no piece of '{}'", printable(flags.what), printable(flags.catalogue_path)));
  return kExitMissing;
}

}  // namespace

void add_deal_show_command(CLI::App& deal, Invocation& invocation) {
  const auto flags = std::make_shared<ShowFlags>();
  CLI::App* command = add_command(deal, {.name = "show",
                                         .summary = "Deals and attempts of a file's pieces, with claim and evidence",
                                         .example = "piecework deal show docs/index.html --catalogue site.catalogue"});
  command->add_option("PATH|CID|PIECE", flags->what, "A path, a CID or a piece CID")->required();
  command->add_option("--catalogue", flags->catalogue_path, "The catalogue")->required();
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_show(*flags); }; });
}

}  // namespace piecework::tools
