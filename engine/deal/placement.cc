#include "engine/deal/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr size_t kSearchStepsMax = 100'000;

constexpr NameTable<IntentReason, 3> kReasons{{
    {IntentReason::kNew, "new"},
    {IntentReason::kRenew, "renew"},
    {IntentReason::kRepair, "repair"},
}};

// The best choice of some candidates, in their order, that has enough owners and regions with those that are there.
class ProviderSearch {
 public:
  ProviderSearch(const DealPolicy& policy, std::vector<const PolicyProvider*> candidates,
                 const std::vector<const PolicyProvider*>& held)
      : policy_(policy), candidates_(std::move(candidates)) {
    for (const PolicyProvider* provider : held) take(*provider);
  }

  bool choose(size_t count) {
    chosen_.clear();
    steps_ = 0;
    return search(0, count);
  }
  const std::vector<const PolicyProvider*>& chosen() const { return chosen_; }

 private:
  void take(const PolicyProvider& provider) {
    ++owners_[provider.owner];
    ++regions_[provider.region];
  }
  void put_back(const PolicyProvider& provider) {
    if (--owners_[provider.owner] == 0) owners_.erase(provider.owner);
    if (--regions_[provider.region] == 0) regions_.erase(provider.region);
  }
  bool is_reachable(size_t left) const {
    return owners_.size() + left >= policy_.owners && regions_.size() + left >= policy_.regions;
  }

  // At most kCopiesMax deep: each level takes one provider.
  bool search(size_t first, size_t left) {
    if (!is_reachable(left)) return false;
    if (left == 0) return true;
    for (size_t i = first; i + left <= candidates_.size(); ++i) {
      if (++steps_ > kSearchStepsMax) return false;
      take(*candidates_[i]);
      chosen_.push_back(candidates_[i]);
      if (search(i + 1, left - 1)) return true;
      chosen_.pop_back();
      put_back(*candidates_[i]);
    }
    return false;
  }

  const DealPolicy& policy_;
  std::vector<const PolicyProvider*> candidates_;
  std::vector<const PolicyProvider*> chosen_;
  std::map<std::string_view, size_t> owners_;
  std::map<std::string_view, size_t> regions_;
  size_t steps_ = 0;
};

// The slots of a piece and what was last tried in each.
class Slots {
 public:
  explicit Slots(const std::vector<CopyView>& copies) {
    for (const CopyView& copy : copies) {
      if (!copy.slot) continue;
      const CopyView*& newest = newest_[*copy.slot];
      if (newest == nullptr || copy.generation > newest->generation) newest = &copy;
      if (copy.state != DealState::kNone || copy.attempt == AttemptState::kAccepted) was_held_.insert(*copy.slot);
      all_dead_.try_emplace(*copy.slot, true).first->second &= is_dead(copy);
    }
  }

  // Takes the lowest slot that is free for `reason`: a new copy goes where there was never a deal.
  std::optional<Placement> take(IntentReason reason, unsigned copies) {
    for (uint64_t slot = 0;; ++slot) {
      const bool is_new = reason == IntentReason::kNew;
      if (is_new && slot >= copies) return std::nullopt;
      if (taken_.contains(slot) || (is_new && was_held_.contains(slot))) continue;
      const auto newest = newest_.find(slot);
      if (newest != newest_.end() && !all_dead_.at(slot)) continue;
      taken_.insert(slot);
      return Placement{.slot = slot, .generation = next_generation(slot), .reason = reason};
    }
  }
  uint64_t next_generation(uint64_t slot) const {
    const auto newest = newest_.find(slot);
    return newest == newest_.end() ? 0 : newest->second->generation + 1;
  }
  uint64_t first_unused() const { return newest_.empty() ? 0 : newest_.rbegin()->first + 1; }

 private:
  std::map<uint64_t, const CopyView*> newest_;
  std::map<uint64_t, bool> all_dead_;
  std::set<uint64_t> was_held_;
  std::set<uint64_t> taken_;
};

bool is_refused(const CopyView& copy) {
  return copy.state == DealState::kNone && copy.attempt == AttemptState::kRejected;
}

bool has_live_successor(const CopyView& copy, const std::vector<CopyView>& copies) {
  return copy.deal && std::any_of(copies.begin(), copies.end(),
                                  [&](const CopyView& other) { return other.renews == copy.deal && !is_dead(other); });
}

// What is left of the policy's providers for a piece: those that have nothing of it and did not refuse it, the
// cheapest and least loaded first; those that lost it before come last.
std::vector<const PolicyProvider*> candidates_for(const DealPolicy& policy, const PlacementRequest& request,
                                                  const ProviderLoad& load) {
  std::set<std::string_view> excluded;
  std::set<std::string_view> failed;
  for (const CopyView& copy : request.copies) {
    if (is_refused(copy) || !is_dead(copy)) excluded.insert(copy.provider);
    if (copy.state == DealState::kTerminated || copy.state == DealState::kProposalExpired) failed.insert(copy.provider);
  }
  const auto load_of = [&load](const PolicyProvider& provider) {
    const auto found = load.find(provider.id);
    return found == load.end() ? uint64_t{0} : found->second;
  };
  std::vector<const PolicyProvider*> candidates;
  for (const PolicyProvider& provider : policy.providers) {
    const bool fits = request.padded_bytes <= provider.piece_bytes_max &&
                      load_of(provider) < policy.max_pieces_per_provider && !excluded.contains(provider.id);
    if (fits) candidates.push_back(&provider);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [&](const PolicyProvider* a, const PolicyProvider* b) {
    return std::tuple(failed.contains(a->id), a->price_per_gib_epoch, load_of(*a)) <
           std::tuple(failed.contains(b->id), b->price_per_gib_epoch, load_of(*b));
  });
  return candidates;
}

std::vector<const PolicyProvider*> holders(const DealPolicy& policy, const PlacementRequest& request) {
  std::vector<const PolicyProvider*> held;
  for (const CopyView& copy : request.copies) {
    if (!counts_as_copy(copy, policy)) continue;
    // A provider that has left the policy's table counts as a copy, but nobody knows whose or where it is.
    if (const PolicyProvider* provider = policy.find_provider(copy.provider)) held.push_back(provider);
  }
  return held;
}

void place_missing(const DealPolicy& policy, const PlacementRequest& request, ProviderLoad& load,
                   PlacementResult& result) {
  size_t count = 0;
  for (const CopyView& copy : request.copies) {
    if (counts_as_copy(copy, policy) && !has_live_successor(copy, request.copies)) ++count;
  }
  if (count >= policy.copies) return;
  Slots slots(request.copies);
  std::vector<Placement> wanted;
  for (size_t missing = policy.copies - count; missing > 0; --missing) {
    std::optional<Placement> placement = slots.take(request.reason, policy.copies);
    if (!placement) break;
    wanted.push_back(std::move(*placement));
  }
  if (wanted.empty()) return;
  ProviderSearch search(policy, candidates_for(policy, request, load), holders(policy, request));
  if (!search.choose(wanted.size())) {
    result.unplaced_count += wanted.size();
    result.why_unplaced =
        fmt::format("the policy has no {} further providers for it that make {} owners and {} regions", wanted.size(),
                    policy.owners, policy.regions);
    return;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    wanted[i].provider = search.chosen()[i]->id;
    ++load[wanted[i].provider];
    result.placements.push_back(std::move(wanted[i]));
  }
}

// Whether a successor of `copy` can stay with its provider: the policy has it, and it did not refuse one.
bool can_renew(const DealPolicy& policy, const PlacementRequest& request, const CopyView& copy) {
  const PolicyProvider* const provider = policy.find_provider(copy.provider);
  if (provider == nullptr || request.padded_bytes > provider->piece_bytes_max) return false;
  return std::none_of(request.copies.begin(), request.copies.end(), [&copy](const CopyView& other) {
    return copy.deal && other.renews == copy.deal && other.provider == copy.provider && is_refused(other);
  });
}

// A successor stays with its provider, which has the bytes, where that can be; else it is placed like any other.
void place_successors(const DealPolicy& policy, const PlacementRequest& request, ProviderLoad& load,
                      PlacementResult& result) {
  Slots slots(request.copies);
  uint64_t unused = slots.first_unused();
  for (size_t i = 0; i < request.copies.size(); ++i) {
    const CopyView& copy = request.copies[i];
    if (copy.state != DealState::kExpiring || has_live_successor(copy, request.copies)) continue;
    Placement placement{.provider = copy.provider, .reason = IntentReason::kRenew, .renews = copy.deal};
    placement.slot = copy.slot ? *copy.slot : unused++;
    placement.generation = slots.next_generation(placement.slot);
    if (!can_renew(policy, request, copy)) {
      PlacementRequest others = request;
      others.copies.erase(others.copies.begin() + static_cast<std::ptrdiff_t>(i));
      ProviderSearch search(policy, candidates_for(policy, request, load), holders(policy, others));
      if (!search.choose(1)) {
        ++result.unplaced_count;
        result.why_unplaced =
            fmt::format("{} has left the policy or refuses it, and there is nobody in its place", copy.provider);
        continue;
      }
      placement.provider = search.chosen()[0]->id;
      ++load[placement.provider];
    }
    result.placements.push_back(std::move(placement));
  }
}

}  // namespace

std::string_view name_of(IntentReason reason) { return name_in(kReasons, reason); }

std::optional<IntentReason> parse_intent_reason(std::string_view name) { return value_in(kReasons, name); }

bool is_dead(const CopyView& copy) { return is_finally_dead(copy.attempt, copy.state); }

bool counts_as_copy(const CopyView& copy, const DealPolicy& policy) {
  if (is_dead(copy) || copy.state == DealState::kLost) return false;
  return copy.state != DealState::kFaulty || copy.faulty_epochs <= policy.repair_after_epochs;
}

PlacementResult place_copies(const DealPolicy& policy, const PlacementRequest& request, ProviderLoad& load) {
  PlacementResult result;
  if (request.reason == IntentReason::kRenew) {
    place_successors(policy, request, load, result);
  } else {
    place_missing(policy, request, load, result);
  }
  return result;
}

}  // namespace piecework::engine
