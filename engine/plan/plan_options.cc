#include "engine/plan/plan_options.h"

#include <fmt/format.h>

namespace piecework::engine {

std::string PlanOptions::canonical_text() const {
  std::string text =
      fmt::format("{};dedup={};items={};hidden={};payload-max={};one-item={}", profile.canonical_text(),
                  dedup_name(dedup), item_policy_name(items), include_hidden, payload_bytes_max, one_item_per_piece);
  if (partial) text += ";partial";
  if (all_blocks) text += ";all-blocks";
  return text;
}

std::string_view dedup_name(Dedup dedup) {
  switch (dedup) {
    case Dedup::kNone:
      return "none";
    case Dedup::kFiles:
      return "files";
    case Dedup::kBlocks:
      return "blocks";
  }
  return "";
}

std::string_view item_policy_name(ItemPolicy items) {
  switch (items) {
    case ItemPolicy::kFiles:
      return "files";
    case ItemPolicy::kTop:
      return "top";
    case ItemPolicy::kSource:
      return "source";
  }
  return "";
}

Result<Dedup> dedup_by_name(std::string_view name) {
  for (const Dedup dedup : {Dedup::kNone, Dedup::kFiles, Dedup::kBlocks}) {
    if (dedup_name(dedup) == name) return dedup;
  }
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("--dedup '{}': expected files, blocks or none", printable(name)));
}

Result<ItemPolicy> item_policy_by_name(std::string_view name) {
  for (const ItemPolicy items : {ItemPolicy::kFiles, ItemPolicy::kTop, ItemPolicy::kSource}) {
    if (item_policy_name(items) == name) return items;
  }
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("--items '{}': expected files, top or source", printable(name)));
}

}  // namespace piecework::engine
