// What decides a plan besides the sources; all of it is part of the plan's digest.
#pragma once

#include <string>

#include "engine/layout/content_classes.h"
#include "engine/layout/profile.h"

namespace piecework::engine {

// What is kept whole in one piece where it fits.
enum class ItemPolicy : uint8_t { kFiles, kTop, kSource };

struct PlanOptions {
  Profile profile;
  Dedup dedup = Dedup::kFiles;
  ItemPolicy items = ItemPolicy::kFiles;
  bool include_hidden = true;
  bool one_item_per_piece = false;
  bool partial = false;     // stores: what is there, where DAGs are incomplete
  bool all_blocks = false;  // stores: every block that no other links to is a root
  std::string piece_size_text = "32GiB";               // as given, for people
  uint64_t payload_bytes_max = 32 * kGiB / 128 * 127;  // capacity of a piece for its CAR

  // Every field that decides bytes, as one line.
  std::string canonical_text() const;
};

std::string_view dedup_name(Dedup dedup);
std::string_view item_policy_name(ItemPolicy items);
Result<Dedup> dedup_by_name(std::string_view name);
Result<ItemPolicy> item_policy_by_name(std::string_view name);

}  // namespace piecework::engine
