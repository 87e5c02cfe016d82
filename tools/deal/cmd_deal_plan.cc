// `piecework deal plan|renew|repair`: which copies are wanted where, and what they cost. Nothing is sent.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/deal/deal_price.h"
#include "engine/deal/placement.h"
#include "kernels/base/check.h"
#include "tools/deal/deal_commands.h"
#include "tools/deal/deal_session.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

using engine::AttoFil;
using engine::IntentReason;

struct PlanFlags : DealFlags {
  std::vector<std::string> pieces;
  bool record = false;
};

struct PlannedCopy {
  engine::CataloguePiece piece;
  engine::Placement placement;
  engine::DealPrice price;
  // Of a successor proposed now: for how long both deals hold the piece; negative: how long neither does.
  std::optional<engine::Epoch> overlap_epochs;
};

struct DealPlan {
  std::vector<PlannedCopy> copies;
  std::vector<std::pair<std::string, engine::PlacementResult>> unplaced;  // by piece CID
  AttoFil per_epoch;
  AttoFil total;
};

Result<std::vector<engine::CataloguePiece>> chosen_pieces(const std::vector<std::string>& names, engine::DealBook& book,
                                                          engine::CatalogueReader& reader) {
  std::vector<engine::CataloguePiece> pieces;
  for (const std::string& name : names) {
    PIECEWORK_ASSIGN(std::optional<engine::CataloguePiece> piece, reader.find_piece(name));
    if (!piece) {
      return fail(ErrorCode::kNotFound, ErrorSide::kConfig,
                  fmt::format("the catalogue has no piece {}", printable(name)));
    }
    pieces.push_back(std::move(*piece));
  }
  if (!names.empty()) return pieces;
  PIECEWORK_ASSIGN(const std::vector<uint64_t> all, book.pieces());
  for (const uint64_t id : all) {
    PIECEWORK_ASSIGN(engine::CataloguePiece piece, reader.piece(id));
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

// When each deal ends, or its sector where that is sooner; by the book's number.
Result<std::map<uint64_t, engine::Epoch>> ends_of_deals(engine::DealBook& book, const std::string& network) {
  PIECEWORK_ASSIGN(const std::vector<engine::DealRow> deals, book.deals(network));
  std::map<uint64_t, engine::Epoch> ends;
  for (const engine::DealRow& deal : deals) {
    ends[deal.id] = std::min(deal.end_epoch, deal.facts.expiration_epoch.value_or(deal.end_epoch));
  }
  return ends;
}

std::string overlap_text(const PlannedCopy& copy) {
  if (!copy.overlap_epochs) return "";
  if (*copy.overlap_epochs >= 0) return fmt::format("; overlaps the deal before it by {} epochs", *copy.overlap_epochs);
  return fmt::format("; too late: for {} epochs neither deal holds it", -*copy.overlap_epochs);
}

Result<DealPlan> make_plan(const engine::DealPolicy& policy, IntentReason reason,
                           const std::vector<engine::CataloguePiece>& pieces, engine::DealBook& book) {
  DealPlan plan;
  PIECEWORK_ASSIGN(engine::ProviderLoad load, book.load(policy.network.name));
  PIECEWORK_ASSIGN(const auto ends, ends_of_deals(book, policy.network.name));
  const engine::Epoch start_epoch = policy.network.clock.epoch_at(deal_now_s()) + policy.start_delay_epochs;
  for (const engine::CataloguePiece& piece : pieces) {
    engine::PlacementRequest request{.padded_bytes = piece.padded_bytes, .reason = reason};
    PIECEWORK_ASSIGN(request.copies, book.copies(piece.id, policy.network.name));
    engine::PlacementResult result = place_copies(policy, request, load);
    for (const engine::Placement& placement : result.placements) {
      const engine::PolicyProvider* const provider = policy.find_provider(placement.provider);
      PIECEWORK_CHECK(provider != nullptr);
      PIECEWORK_ASSIGN(const engine::DealPrice price,
                       engine::price_of(provider->price_per_gib_epoch, piece.padded_bytes, policy.duration_epochs));
      PIECEWORK_ASSIGN(plan.per_epoch, add(plan.per_epoch, price.per_epoch));
      PIECEWORK_ASSIGN(plan.total, add(plan.total, price.total));
      plan.copies.push_back({piece, placement, price, std::nullopt});
      if (placement.renews) plan.copies.back().overlap_epochs = ends.at(*placement.renews) - start_epoch;
    }
    if (result.unplaced_count > 0) plan.unplaced.emplace_back(piece.cid_v1, std::move(result));
  }
  return plan;
}

// Of an attempt that was never sent, or was withdrawn: nothing can come of it.
Status give_up(engine::DealBook& book, uint64_t attempt_id) {
  const engine::Observation given_up{.at_s = deal_now_s(),
                                     .verdict = engine::Verdict::kRejected,
                                     .detail = "given up before it was sent: its provider has left the policy"};
  PIECEWORK_TRY(book.observe(engine::Subject::attempt(attempt_id), given_up));
  return {};
}

// What was meant for a provider that has left the policy, and was never sent, is given up: others get the piece.
Status forget_departed(DealSession& session) {
  engine::DealBook& book = session.book();
  const auto is_departed = [&session](const engine::IntentRow& intent) {
    return session.policy().find_provider(intent.provider) == nullptr;
  };
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> attempts, book.open_attempts(session.network()));
  for (const engine::OpenAttempt& open : attempts) {
    if (open.attempt.state != engine::AttemptState::kPrepared || !is_departed(open.intent)) continue;
    PIECEWORK_ASSIGN(const std::string campaign, book.campaign_of(open.intent.policy_id));
    if (campaign == session.policy().name) PIECEWORK_TRY(give_up(book, open.attempt.id));
  }
  PIECEWORK_ASSIGN(const std::vector<engine::IntentRow> intents,
                   book.open_intents(session.network(), session.policy().name));
  for (const engine::IntentRow& intent : intents) {
    if (!is_departed(intent)) continue;
    PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> tried, book.attempts_of(intent.piece_id));
    const auto newest = std::find_if(tried.rbegin(), tried.rend(),
                                     [&](const engine::OpenAttempt& each) { return each.intent.id == intent.id; });
    PIECEWORK_TRY(newest == tried.rend() ? book.remove_intent(intent.id) : give_up(book, newest->attempt.id));
  }
  return {};
}

Status record(const DealPlan& plan, DealSession& session) {
  for (const PlannedCopy& copy : plan.copies) {
    engine::IntentRow intent{.network = session.network(),
                             .piece_id = copy.piece.id,
                             .provider = copy.placement.provider,
                             .slot = copy.placement.slot,
                             .generation = copy.placement.generation,
                             .policy_id = session.policy_id(),
                             .reason = copy.placement.reason,
                             .renews = copy.placement.renews};
    intent.renew_before_epochs = session.policy().renew_before_epochs;
    intent.created_at_s = deal_now_s();
    PIECEWORK_TRY(session.book().add_intent(intent));
  }
  return {};
}

Status print_plan(const DealPlan& plan, const engine::DealPolicy& policy, bool is_recorded, bool json) {
  if (!json) {
    std::string text;
    for (const PlannedCopy& copy : plan.copies) {
      text += fmt::format("{} {} slot {} generation {} ({}): {} attoFIL per epoch, {} in total, {} per TiB-month{}\n",
                          copy.piece.cid_v1, copy.placement.provider, copy.placement.slot, copy.placement.generation,
                          name_of(copy.placement.reason), copy.price.per_epoch.text(), copy.price.total.text(),
                          copy.price.per_tib_month.text(), overlap_text(copy));
    }
    for (const auto& [piece, result] : plan.unplaced) {
      text += fmt::format("{} {} copies not placed: {}\n", piece, result.unplaced_count, result.why_unplaced);
    }
    text += fmt::format("{} deals on {}, {} attoFIL per epoch, {} in total{}\n", plan.copies.size(),
                        policy.network.name, plan.per_epoch.text(), plan.total.text(),
                        is_recorded ? "; recorded" : "; a dry run: --record keeps them for deal propose");
    return print_text(text);
  }
  Json object = {{"policy", policy.name}, {"network", policy.network.name}, {"recorded", is_recorded}};
  object["price_per_epoch_attofil"] = plan.per_epoch.text();
  object["total_attofil"] = plan.total.text();
  object["placements"] = Json::array();
  for (const PlannedCopy& copy : plan.copies) {
    object["placements"].push_back({{"piece_cid_v1", copy.piece.cid_v1},
                                    {"padded_bytes", copy.piece.padded_bytes},
                                    {"provider", copy.placement.provider},
                                    {"slot", copy.placement.slot},
                                    {"generation", copy.placement.generation},
                                    {"reason", name_of(copy.placement.reason)},
                                    {"duration_epochs", policy.duration_epochs},
                                    {"price_per_epoch_attofil", copy.price.per_epoch.text()},
                                    {"total_attofil", copy.price.total.text()},
                                    {"per_tib_month_attofil", copy.price.per_tib_month.text()}});
    if (copy.overlap_epochs) object["placements"].back()["overlap_epochs"] = *copy.overlap_epochs;
  }
  object["unplaced"] = Json::array();
  for (const auto& [piece, result] : plan.unplaced) {
    object["unplaced"].push_back(
        {{"piece_cid_v1", piece}, {"count", result.unplaced_count}, {"why", result.why_unplaced}});
  }
  return print_json(object);
}

Result<int> run_plan(const PlanFlags& flags, IntentReason reason) {
  DealPlan plan;
  engine::DealPolicy policy;
  if (flags.record) {
    PIECEWORK_ASSIGN(const std::unique_ptr<DealSession> session, DealSession::open(flags));
    policy = session->policy();
    PIECEWORK_TRY(forget_departed(*session));
    PIECEWORK_ASSIGN(const auto pieces, chosen_pieces(flags.pieces, session->book(), session->reader()));
    PIECEWORK_ASSIGN(plan, make_plan(policy, reason, pieces, session->book()));
    PIECEWORK_TRY(record(plan, *session));
  } else {
    PIECEWORK_ASSIGN(const NamedPolicy named, read_policy_file(flags.policy_path));
    policy = named.policy;
    PIECEWORK_ASSIGN(engine::DealBook book, engine::DealBook::open_to_read(flags.catalogue_path));
    PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
    PIECEWORK_ASSIGN(const auto pieces, chosen_pieces(flags.pieces, book, reader));
    PIECEWORK_ASSIGN(plan, make_plan(policy, reason, pieces, book));
  }
  PIECEWORK_TRY(print_plan(plan, policy, flags.record, flags.json));
  if (plan.unplaced.empty()) return kExitDone;
  print_message("the policy cannot be met: see the copies that are not placed");
  return kExitMismatch;
}

void add_plan_like(CLI::App& deal, Invocation& invocation, IntentReason reason, const CommandText& text) {
  const auto flags = std::make_shared<PlanFlags>();
  CLI::App* command = add_command(deal, text);
  add_deal_flags(*command, *flags);
  command->add_option("--piece", flags->pieces, "Only this piece; several times for several");
  command->add_flag("--record", flags->record, "Keep the result, for deal propose");
  command->callback(
      [flags, reason, &invocation] { invocation.run = [flags, reason] { return run_plan(*flags, reason); }; });
}

}  // namespace

void add_deal_plan_commands(CLI::App& deal, Invocation& invocation) {
  add_plan_like(deal, invocation, IntentReason::kNew,
                {.name = "plan",
                 .summary = "Which providers get which pieces, at what price; a dry run without --record",
                 .example = "piecework deal plan --policy sites.toml --catalogue site.catalogue"});
  add_plan_like(deal, invocation, IntentReason::kRenew,
                {.name = "renew",
                 .summary = "Successors for deals that end soon; a dry run without --record",
                 .example = "piecework deal renew --policy sites.toml --catalogue site.catalogue --record"});
  add_plan_like(deal, invocation, IntentReason::kRepair,
                {.name = "repair",
                 .summary = "Copies in the place of those that were lost; a dry run without --record",
                 .example = "piecework deal repair --policy sites.toml --catalogue site.catalogue --record"});
}

}  // namespace piecework::tools
