// `piecework deal track|adopt`: what providers and the chain say of deals goes into the book.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "tools/deal/deal_commands.h"
#include "tools/deal/live_run.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

using engine::DealState;
using engine::DealView;

// Deals and attempts by state, and what could not be asked.
struct TrackTotals {
  std::map<std::string, uint64_t> states;
  uint64_t unanswered_count = 0;  // by the chain
  std::set<std::string> silent;   // providers that did not answer: they are not waited for again in this run
};

bool is_over(DealState state) {
  return state == DealState::kExpired || state == DealState::kTerminated || state == DealState::kProposalExpired;
}

void count(const DealView& view, TrackTotals& totals) {
  const bool is_deal = view.state != DealState::kNone;
  ++totals.states[std::string(is_deal ? name_of(view.state) : name_of(view.attempt))];
}

Status look_at(LiveRun& run, const TrackedDeal& tracked, TrackTotals& totals) {
  PIECEWORK_ASSIGN(const std::optional<DealView> seen, run.tracker().look(tracked));
  if (seen) {
    count(*seen, totals);
  } else {
    ++totals.unanswered_count;
  }
  return {};
}

// What the provider claims. One that cannot be reached claims nothing.
Status ask_provider(LiveRun& run, const engine::OpenAttempt& open, TrackTotals& totals) {
  if (totals.silent.contains(open.intent.provider)) return {};
  const Result<engine::DealAdapter*> adapter = run.parties().adapter_of(open.intent.provider);
  if (!adapter) {
    totals.silent.insert(open.intent.provider);
    return {};
  }
  const engine::StatusClaim claim = (*adapter)->status(open.attempt.prepared);
  const bool is_network = open.attempt.protocol == "mk12" || open.attempt.protocol == "mk20";
  if (is_network && claim.view == engine::ProviderView::kNoAnswer && claim.http_status == 0) {
    totals.silent.insert(open.intent.provider);
  }
  PIECEWORK_TRY(run.tracker().take_claim(open, claim, open.intent.provider));
  return {};
}

Status track_attempt(LiveRun& run, const engine::OpenAttempt& open, TrackTotals& totals) {
  // A provider that has left the policy, or is another policy's, says nothing; the chain is asked all the same.
  if (run.parties().provider_of(open) != nullptr && open.attempt.state != engine::AttemptState::kPrepared) {
    PIECEWORK_TRY(ask_provider(run, open, totals));
  }
  PIECEWORK_ASSIGN(const TrackedDeal tracked, run.tracker().tracked(open));
  return look_at(run, tracked, totals);
}

Status track_all(LiveRun& run, TrackTotals& totals) {
  engine::DealBook& book = run.session().book();
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> open, book.open_attempts(run.session().network()));
  for (const engine::OpenAttempt& attempt : open) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped; run again");
    PIECEWORK_TRY(book.keep_lease(deal_now_s()));
    PIECEWORK_TRY(track_attempt(run, attempt, totals));
  }
  PIECEWORK_ASSIGN(const std::vector<engine::DealRow> deals, book.deals(run.session().network()));
  for (const engine::DealRow& deal : deals) {
    if (deal.attempt_id || is_over(deal.state)) continue;
    PIECEWORK_ASSIGN(const TrackedDeal tracked, run.tracker().tracked(deal));
    PIECEWORK_TRY(look_at(run, tracked, totals));
  }
  return {};
}

Result<int> run_track(const DealFlags& flags) {
  PIECEWORK_ASSIGN(const std::unique_ptr<LiveRun> run, LiveRun::start(flags, "."));
  TrackTotals totals;
  PIECEWORK_TRY(track_all(*run, totals));
  const engine::ChainPoint& point = run->chain().point();
  const bool is_fresh = run->chain().is_fresh();
  if (flags.json) {
    PIECEWORK_TRY(print_json({{"endpoint", point.endpoint},
                              {"head_epoch", point.head_epoch},
                              {"finalized_epoch", point.finalized.epoch},
                              {"is_fresh", is_fresh},
                              {"states", totals.states},
                              {"silent_providers", totals.silent},
                              {"unanswered", totals.unanswered_count}}));
  } else {
    std::string text = fmt::format("epoch {}, finalized {}, by {}\n", point.head_epoch, point.finalized.epoch,
                                   printable(point.endpoint));
    for (const auto& [state, number] : totals.states) text += fmt::format("{:<17} {}\n", state, number);
    for (const std::string& provider : totals.silent) text += fmt::format("{} does not answer\n", provider);
    PIECEWORK_TRY(print_text(text));
  }
  if (totals.unanswered_count == 0 && is_fresh) return kExitDone;
  print_message(is_fresh ? "the node did not answer for some deals: run again"
                         : "no node is up to date, or this clock is wrong: what is not there was not counted");
  return kExitUnavailable;
}

struct AdoptFlags : DealFlags {
  uint64_t deal_id = 0;
};

// The attempt whose proposal this is, if any: its deal is not another's, whoever sees it first.
Result<std::optional<TrackedDeal>> own_attempt(LiveRun& run, const engine::DealProposal& proposal, uint64_t piece_id) {
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> open,
                   run.session().book().open_attempts(run.session().network()));
  for (const engine::OpenAttempt& attempt : open) {
    if (attempt.intent.piece_id != piece_id) continue;
    PIECEWORK_ASSIGN(TrackedDeal tracked, run.tracker().tracked(attempt));
    const bool is_its = tracked.kind == engine::DealKind::kF05 &&
                        is_same_deal(proposal, tracked.own.proposal, tracked.own.client_id);
    if (is_its) return tracked;
  }
  return std::nullopt;
}

Status print_adopted(const AdoptFlags& flags, const engine::CataloguePiece& piece, const std::string& provider,
                     const std::optional<DealView>& seen, bool is_own) {
  const std::string_view state = seen ? name_of(seen->state) : "none";
  if (flags.json) {
    return print_json({{"deal_id", flags.deal_id},
                       {"piece_cid_v1", piece.cid_v1},
                       {"provider", provider},
                       {"state", state},
                       {"proposed_here", is_own}});
  }
  return print_text(fmt::format("deal {} with {} of {}: {}{}\n", flags.deal_id, provider, piece.cid_v1, state,
                                is_own ? "; it was proposed here" : ""));
}

Result<int> run_adopt(const AdoptFlags& flags) {
  PIECEWORK_ASSIGN(const std::unique_ptr<LiveRun> run, LiveRun::start(flags, "."));
  const char prefix = run->session().policy().network.address_prefix;
  const ChainAnswer<engine::MarketDeal> answer =
      run->chain().node().market_deal(flags.deal_id, run->chain().finalized());
  if (answer.verdict == ChainVerdict::kNoAnswer) {
    return fail(ErrorCode::kUnavailable, ErrorSide::kSource, fmt::format("the node says: {}", answer.message));
  }
  if (answer.verdict == ChainVerdict::kNotFound) {
    print_message(
        fmt::format("there is no deal {} at finalized epoch {}", flags.deal_id, run->chain().finalized().epoch));
    return kExitMissing;
  }
  const engine::DealProposal& proposal = answer.value.proposal;
  PIECEWORK_ASSIGN(const std::optional<engine::CataloguePiece> piece,
                   run->session().reader().find_piece(proposal.piece_cid.text()));
  if (!piece || piece->padded_bytes != proposal.padded_bytes) {
    print_message(fmt::format("deal {} is of piece {}, which the catalogue does not have", flags.deal_id,
                              proposal.piece_cid.text()));
    return kExitMissing;
  }
  PIECEWORK_ASSIGN(const std::optional<TrackedDeal> own, own_attempt(*run, proposal, piece->id));
  if (own) {
    PIECEWORK_ASSIGN(const std::optional<DealView> seen, run->tracker().look_under(*own, flags.deal_id));
    PIECEWORK_TRY(print_adopted(flags, *piece, proposal.provider.text(prefix), seen, true));
    return kExitDone;
  }
  engine::DealRow deal{.network = run->session().network(),
                       .piece_id = piece->id,
                       .provider = proposal.provider.text(prefix),
                       .client = proposal.client.text(prefix),
                       .label = proposal.label.content,
                       .start_epoch = proposal.start_epoch,
                       .end_epoch = proposal.end_epoch,
                       .renew_before_epochs = run->session().policy().renew_before_epochs};
  deal.facts.deal_id = flags.deal_id;
  const Result<uint64_t> adopted = run->session().book().adopt(deal);
  if (!adopted && adopted.error().code == ErrorCode::kConflict) {
    print_message(adopted.error().message + " already");
    return kExitDone;
  }
  PIECEWORK_ASSIGN(deal.id, adopted);
  PIECEWORK_ASSIGN(const TrackedDeal tracked, run->tracker().tracked(deal));
  PIECEWORK_ASSIGN(const std::optional<DealView> seen, run->tracker().look(tracked));
  PIECEWORK_TRY(print_adopted(flags, *piece, deal.provider, seen, false));
  return kExitDone;
}

}  // namespace

void add_deal_track_commands(CLI::App& deal, Invocation& invocation) {
  const auto flags = std::make_shared<DealFlags>();
  CLI::App* track = add_command(deal, {.name = "track",
                                       .summary = "Ask providers and the chain, and keep what they say",
                                       .example = "piecework deal track --policy sites.toml --catalogue "
                                                  "site.catalogue"});
  add_deal_flags(*track, *flags);
  track->callback([flags, &invocation] { invocation.run = [flags] { return run_track(*flags); }; });

  const auto adopt_flags = std::make_shared<AdoptFlags>();
  CLI::App* adopt = add_command(deal, {.name = "adopt",
                                       .summary = "Take a deal into the book that was made without it",
                                       .example = "piecework deal adopt 5432 --policy sites.toml --catalogue "
                                                  "site.catalogue"});
  adopt->add_option("DEAL_ID", adopt_flags->deal_id, "Its number on chain")->required();
  add_deal_flags(*adopt, *adopt_flags);
  adopt->callback([adopt_flags, &invocation] { invocation.run = [adopt_flags] { return run_adopt(*adopt_flags); }; });
}

}  // namespace piecework::tools
