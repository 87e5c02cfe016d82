// `piecework deal propose|reconcile`: recorded intents go to their providers; what an earlier run left is settled.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "engine/deal/deal_price.h"
#include "tools/deal/deal_commands.h"
#include "tools/deal/live_run.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

using engine::AttoFil;

struct ProposeFlags : DealFlags {
  std::string out_path = ".";
  std::vector<std::string> allocations;
};

// PROVIDER=ID:PIECE, for example t01000=77:baga6ea...
Status use_allocations(const std::vector<std::string>& texts, DealProposer& proposer) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const size_t colon = text.find(':');
    uint64_t id = 0;
    if (equals != std::string::npos && colon != std::string::npos && equals < colon) {
      const auto [end, code] = std::from_chars(text.data() + equals + 1, text.data() + colon, id);
      if (code != std::errc() || end != text.data() + colon) id = 0;
    }
    if (id == 0) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("--allocation {}: expected PROVIDER=ID:PIECE", printable(text)));
    }
    proposer.use_allocation(text.substr(colon + 1), text.substr(0, equals), id);
  }
  return {};
}

Status print_outcomes(const std::vector<ProposeOutcome>& outcomes, bool json) {
  std::string text;
  Json list = Json::array();
  for (const ProposeOutcome& outcome : outcomes) {
    text += fmt::format("{} {} slot {} generation {}: {}{}{}\n", outcome.piece_cid_v1, outcome.intent.provider,
                        outcome.intent.slot, outcome.intent.generation, name_of(outcome.state),
                        outcome.reason.empty() ? "" : ": ", printable(outcome.reason));
    list.push_back({{"piece_cid_v1", outcome.piece_cid_v1},
                    {"provider", outcome.intent.provider},
                    {"slot", outcome.intent.slot},
                    {"generation", outcome.intent.generation},
                    {"client_key", outcome.client_key},
                    {"attempt", name_of(outcome.state)},
                    {"deal", name_of(outcome.deal_state)},
                    {"reason", printable(outcome.reason)}});
  }
  return json ? print_json({{"outcomes", list}}) : print_text(text + fmt::format("{} attempts\n", outcomes.size()));
}

// What is left for another run: attempts of which nobody knows, and intents that were not attempted.
int exit_code_of(const std::vector<ProposeOutcome>& outcomes, const DealProposer& proposer) {
  bool is_open = !proposer.paused().empty();
  bool is_left = false;
  for (const ProposeOutcome& outcome : outcomes) {
    is_open = is_open || engine::is_unresolved(outcome.state);
    const bool was_sent = outcome.state != engine::AttemptState::kPlanned &&
                          outcome.state != engine::AttemptState::kPrepared;
    is_left = is_left || !was_sent;
  }
  if (is_open) print_message("some providers gave no answer that tells: run deal reconcile later");
  if (is_open) return kExitUnavailable;
  if (is_left) print_message("some deals were not sent: each says why");
  return is_left ? kExitMismatch : kExitDone;
}

Status check_stop() {
  if (!stop_requested()) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped; the book says how far it came: run again");
}

Status resume_all(LiveRun& run, DealProposer& proposer, std::vector<ProposeOutcome>& outcomes) {
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> open,
                   run.session().book().open_attempts(run.session().network()));
  for (const engine::OpenAttempt& left : open) {
    if (!engine::may_send(left.attempt.state)) continue;
    PIECEWORK_ASSIGN(const bool is_ours, run.session().is_of_campaign(left.intent));
    if (!is_ours) continue;
    PIECEWORK_TRY(check_stop());
    PIECEWORK_ASSIGN(ProposeOutcome outcome, proposer.resume(left));
    outcomes.push_back(std::move(outcome));
  }
  return {};
}

Status check_clock(const ChainChoice& chain) {
  if (chain.is_fresh()) return {};
  return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
              fmt::format("the head of '{}' is at epoch {}, which is not now: either no node is up to date or this "
                          "machine's clock is wrong; nothing was signed",
                          printable(chain.point().endpoint), chain.point().head_epoch));
}

// The tokens that providers show to `piecework serve` are in the bytes that are signed, and the catalogue keeps those:
// whoever may read it has the tokens. SQLite gives its log the catalogue's mode when it makes it, and not later.
Status check_catalogue_is_private(const std::string& path, const engine::DealPolicy& policy) {
  const bool has_tokens = std::ranges::any_of(
      policy.providers, [](const engine::PolicyProvider& provider) { return !provider.piece_token_file.empty(); });
  if (!has_tokens) return {};
  for (const std::string& file : {path, path + "-wal"}) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0 || (status.st_mode & 077) == 0) continue;
    return fail(ErrorCode::kPermission, ErrorSide::kConfig,
                fmt::format("the catalogue's file '{}' can be read by others (mode {:04o}), and would hold the tokens "
                            "that the policy's piece_token_file names; nothing was signed: chmod 600 it",
                            printable(file), status.st_mode & 07777));
  }
  return {};
}

Result<int> run_live(const ProposeFlags& flags, bool with_new) {
  PIECEWORK_ASSIGN(const NamedPolicy named, read_policy_file(flags.policy_path));
  PIECEWORK_TRY(check_network(flags, named.policy));
  PIECEWORK_ASSIGN(const std::unique_ptr<LiveRun> run, LiveRun::start(flags, flags.out_path));
  PIECEWORK_TRY(check_clock(run->chain()));
  PIECEWORK_TRY(check_catalogue_is_private(flags.catalogue_path, named.policy));
  DealProposer proposer(run->session(), run->chain(), run->parties(), run->tracker());
  PIECEWORK_TRY(use_allocations(flags.allocations, proposer));
  PIECEWORK_TRY(proposer.begin());
  std::vector<ProposeOutcome> outcomes;
  Status ended = resume_all(*run, proposer, outcomes);
  if (ended && with_new) {
    PIECEWORK_ASSIGN(const std::vector<engine::IntentRow> intents,
                     run->session().book().open_intents(run->session().network(), named.policy.name));
    for (const engine::IntentRow& intent : intents) {
      if (ended = check_stop(); !ended) break;
      Result<ProposeOutcome> outcome = proposer.propose(intent);
      if (!outcome) {
        ended = tl::unexpected<Error>(outcome.error());
        break;
      }
      outcomes.push_back(std::move(*outcome));
    }
  }
  PIECEWORK_TRY(print_outcomes(outcomes, flags.json));
  PIECEWORK_TRY(ended);
  return exit_code_of(outcomes, proposer);
}

// What would be sent, and what it would cost, from the book alone.
Result<int> run_dry(const ProposeFlags& flags) {
  PIECEWORK_ASSIGN(const NamedPolicy named, read_policy_file(flags.policy_path));
  const engine::DealPolicy& policy = named.policy;
  PIECEWORK_ASSIGN(engine::DealBook book, engine::DealBook::open_to_read(flags.catalogue_path));
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  PIECEWORK_ASSIGN(const std::vector<engine::IntentRow> intents, book.open_intents(policy.network.name, policy.name));
  AttoFil per_epoch;
  AttoFil total;
  std::string text;
  Json list = Json::array();
  for (const engine::IntentRow& intent : intents) {
    const engine::PolicyProvider* const provider = policy.find_provider(intent.provider);
    if (provider == nullptr) continue;
    PIECEWORK_ASSIGN(const engine::CataloguePiece piece, reader.piece(intent.piece_id));
    PIECEWORK_ASSIGN(const engine::DealPrice price,
                     engine::price_of(provider->price_per_gib_epoch, piece.padded_bytes, policy.duration_epochs));
    PIECEWORK_ASSIGN(per_epoch, add(per_epoch, price.per_epoch));
    PIECEWORK_ASSIGN(total, add(total, price.total));
    text += fmt::format("{} {} by {}: {} attoFIL per epoch, {} in total, {} per TiB-month\n", piece.cid_v1,
                        intent.provider, name_of(provider->protocol), price.per_epoch.text(), price.total.text(),
                        price.per_tib_month.text());
    list.push_back({{"piece_cid_v1", piece.cid_v1},
                    {"provider", intent.provider},
                    {"protocol", name_of(provider->protocol)},
                    {"price_per_epoch_attofil", price.per_epoch.text()},
                    {"total_attofil", price.total.text()},
                    {"per_tib_month_attofil", price.per_tib_month.text()}});
  }
  if (flags.json) {
    PIECEWORK_TRY(print_json({{"network", policy.network.name},
                              {"live", false},
                              {"price_per_epoch_attofil", per_epoch.text()},
                              {"total_attofil", total.text()},
                              {"would_propose", list}}));
  } else {
    text += fmt::format(
        "{} deals on {}, {} attoFIL per epoch, {} in total; a dry run: --live --network {} sends them\n", list.size(),
        policy.network.name, per_epoch.text(), total.text(), policy.network.name);
    PIECEWORK_TRY(print_text(text));
  }
  return kExitDone;
}

}  // namespace

void add_deal_propose_commands(CLI::App& deal, Invocation& invocation) {
  const auto flags = std::make_shared<ProposeFlags>();
  CLI::App* propose = add_command(deal, {.name = "propose",
                                         .summary = "Sign what was recorded and send it; a dry run without --live",
                                         .example = "piecework deal propose --policy sites.toml --catalogue "
                                                    "site.catalogue --live --network calibnet"});
  add_deal_flags(*propose, *flags);
  add_live_flags(*propose, *flags);
  propose->add_option("--out", flags->out_path, "Directory for the documents of offline deals (default: .)");
  propose->add_option("--allocation", flags->allocations, "Of a verified mk20 deal; several times for several")
      ->type_name("PROVIDER=ID:PIECE");
  propose->callback([flags, &invocation] {
    invocation.run = [flags] { return flags->is_live ? run_live(*flags, true) : run_dry(*flags); };
  });

  const auto again = std::make_shared<ProposeFlags>();
  CLI::App* reconcile = add_command(deal, {.name = "reconcile",
                                           .summary = "Settle attempts of which nobody knows whether they were taken",
                                           .example = "piecework deal reconcile --policy sites.toml --catalogue "
                                                      "site.catalogue --network calibnet"});
  add_deal_flags(*reconcile, *again);
  reconcile->add_option("--network", again->network, "The network, as the policy names it")->required();
  reconcile->add_option("--out", again->out_path, "Directory for the documents of offline deals (default: .)");
  reconcile->callback([again, &invocation] { invocation.run = [again] { return run_live(*again, false); }; });
}

}  // namespace piecework::tools
