#include "engine/plan/plan_summary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/record/json_text.h"
#include "kernels/base/endian.h"

namespace piecework::engine {
namespace {

void append_number(kernels::Sha256& hasher, uint64_t number) {
  uint8_t bytes[8];
  store_le<uint64_t>(bytes, number);
  hasher.append(bytes);
}

void append_text(kernels::Sha256& hasher, std::string_view text) {
  append_number(hasher, text.size());
  hasher.append(as_bytes(text));
}

tl::unexpected<Error> bad_options(std::string what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, std::move(what));
}

}  // namespace

kernels::Sha256 batch_hasher(const PlanOptions& options) {
  kernels::Sha256 hasher;
  hasher.append(as_bytes("piecework batch 2\n"));
  hasher.append(as_bytes(options.canonical_text()));
  hasher.append(as_bytes("\n"));
  return hasher;
}

Digest32 plan_digest(const PlanSummary& summary) {
  kernels::Sha256 hasher;
  hasher.append(as_bytes("piecework plan 2\n"));
  hasher.append(as_bytes(summary.options.canonical_text()));
  hasher.append(as_bytes("\n"));
  for (const Source& source : summary.sources) {
    uint8_t name_bytes[8];
    store_le<uint64_t>(name_bytes, source.name.size());
    hasher.append(name_bytes);
    hasher.append(as_bytes(source.name));
  }
  for (const PlannedBatch& batch : summary.batches) hasher.append(batch.digest);
  return hasher.finish();
}

Digest32 summary_digest(const PlanSummary& summary) {
  kernels::Sha256 hasher;
  hasher.append(as_bytes("piecework summary 1\n"));
  append_number(hasher, summary.root_joins_sources);
  append_number(hasher, summary.sources.size());
  for (const Source& source : summary.sources) {
    append_text(hasher, source.path);
    append_number(hasher, static_cast<uint64_t>(source.kind));
  }
  append_number(hasher, summary.skipped.size());
  for (const SkippedItem& item : summary.skipped) {
    append_text(hasher, item.path);
    append_text(hasher, item.reason);
    append_number(hasher, item.batch);
  }
  for (const PlannedBatch& batch : summary.batches) {
    const LayoutTotals& totals = batch.totals;
    for (const uint64_t number :
         {totals.car_bytes, totals.block_count, totals.file_count, totals.source_bytes, totals.duplicate_bytes,
          uint64_t{totals.class_count}, totals.stored_section_bytes_max, totals.external_count,
          uint64_t{batch.role.is_join}, uint64_t{batch.role.parts.size()}}) {
      append_number(hasher, number);
    }
    append_text(hasher, batch.role.join_path);
    for (const PlannedPart& part : batch.role.parts) {
      append_text(hasher, part.path);
      append_text(hasher, part.item_path);
      append_text(hasher, as_text(part.cid.bytes()));
    }
  }
  append_number(hasher, summary.known.item_count);
  append_number(hasher, summary.known.bytes);
  if (summary.known.block_count > 0) {  // plans that leave no blocks out keep the digest that they always had
    append_number(hasher, summary.known.block_count);
    append_number(hasher, summary.known.block_bytes);
  }
  return hasher.finish();
}

std::string options_to_json(const PlanSummary& summary) {
  const PlanOptions& options = summary.options;
  const Profile& profile = options.profile;
  const nlohmann::json json = {{"profile", profile.name},
          {"chunk_bytes", profile.chunk_bytes},
          {"max_links", profile.max_links},
          {"raw_leaves", profile.raw_leaves},
          {"cid_version", profile.cid_version},
          {"hamt_rule", profile.hamt_rule == HamtRule::kBlockBytes ? "block-bytes" : "links-bytes"},
          {"hamt_threshold_bytes", profile.hamt_threshold_bytes},
          {"dedup", dedup_name(options.dedup)},
          {"items", item_policy_name(options.items)},
          {"include_hidden", options.include_hidden},
          {"one_item_per_piece", options.one_item_per_piece},
          {"partial", options.partial},
          {"all_blocks", options.all_blocks},
          {"piece_size", options.piece_size_text},
          {"payload_bytes_max", options.payload_bytes_max},
          {"root_joins_sources", summary.root_joins_sources},
          {"known_count", summary.known.item_count},
          {"known_bytes", summary.known.bytes},
          {"known_block_count", summary.known.block_count},
          {"known_block_bytes", summary.known.block_bytes}};
  return json.dump();
}

Status options_from_json(const std::string& text, PlanSummary& summary) {
  // What is thrown (missing keys, wrong types, numbers out of range) means one thing: this is not a plan of ours.
  try {
    const auto json = nlohmann::ordered_json::parse(text);
    PlanOptions& options = summary.options;
    Profile& profile = options.profile;
    profile.name = json.at("profile").get<std::string>();
    profile.chunk_bytes = number_of<uint64_t>(json, "chunk_bytes");
    profile.max_links = number_of<uint32_t>(json, "max_links");
    profile.raw_leaves = json.at("raw_leaves").get<bool>();
    profile.cid_version = number_of<uint8_t>(json, "cid_version");
    profile.hamt_rule =
        json.at("hamt_rule").get<std::string>() == "block-bytes" ? HamtRule::kBlockBytes : HamtRule::kLinksBytes;
    profile.hamt_threshold_bytes = number_of<uint64_t>(json, "hamt_threshold_bytes");
    const Result<Dedup> dedup = dedup_by_name(json.at("dedup").get<std::string>());
    const Result<ItemPolicy> items = item_policy_by_name(json.at("items").get<std::string>());
    if (!check_profile(profile) || !dedup || !items) return bad_options("its options are none of this version");
    options.dedup = *dedup;
    options.items = *items;
    options.include_hidden = json.at("include_hidden").get<bool>();
    options.one_item_per_piece = json.at("one_item_per_piece").get<bool>();
    options.partial = json.at("partial").get<bool>();
    options.all_blocks = json.at("all_blocks").get<bool>();
    options.piece_size_text = json.at("piece_size").get<std::string>();
    options.payload_bytes_max = number_of<uint64_t>(json, "payload_bytes_max");
    summary.root_joins_sources = json.at("root_joins_sources").get<bool>();
    summary.known = {.item_count = number_of<uint64_t>(json, "known_count"),
                     .bytes = number_of<uint64_t>(json, "known_bytes"),
                     .block_count = number_or_0(json, "known_block_count"),
                     .block_bytes = number_or_0(json, "known_block_bytes")};
    return {};
  } catch (const std::exception& error) {
    return bad_options(fmt::format("its options do not parse ({})", error.what()));
  }
}

}  // namespace piecework::engine
