#include "tools/plan_flags.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/piece/piece_size.h"
#include "io/scratch_file.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

constexpr size_t kSkippedLinesMax = 10;

tl::unexpected<Error> usage(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

template <class Number>
Status parse_number(const std::string& text, std::string_view flag, Number& number) {
  if (text.empty()) return {};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc() && end == text.data() + text.size()) return {};
  return usage(fmt::format("{} '{}': expected a whole number", flag, printable(text)));
}

Status apply_profile_flags(const PlanFlags& flags, engine::Profile& profile) {
  if (!flags.chunk_size.empty()) {
    PIECEWORK_ASSIGN(profile.chunk_bytes, parse_size(flags.chunk_size));
  }
  PIECEWORK_TRY(parse_number(flags.max_links, "--max-links", profile.max_links));
  PIECEWORK_TRY(parse_number(flags.cid_version, "--cid-version", profile.cid_version));
  if (!flags.raw_leaves.empty()) profile.raw_leaves = flags.raw_leaves == "true";
  if (!flags.hamt_threshold.empty()) PIECEWORK_TRY(engine::parse_hamt_threshold(flags.hamt_threshold, profile));
  return engine::check_profile(profile);
}

}  // namespace

void add_plan_flags(CLI::App& command, PlanFlags& flags, bool sources_optional) {
  CLI::Option* sources = command.add_option(
      "SOURCE", flags.sources, "Directory, file, kubo repository or CAR, or NAME=PATH; several are joined");
  if (!sources_optional) sources->required();
  command.add_option("--piece-size", flags.piece_size, "Largest padded piece: a power of two, or pdp")
      ->capture_default_str();
  command.add_option("--profile", flags.profile, "unixfs-v1-2025 or unixfs-v0-2015")->capture_default_str();
  command.add_option("--hidden", flags.hidden, "Names that begin with a dot")
      ->check(CLI::IsMember({"include", "exclude"}))
      ->capture_default_str();
  command.add_option("--dedup", flags.dedup, "What is known about equal content: files, blocks or none")
      ->capture_default_str();
  command.add_option("--items", flags.items, "What stays whole in one piece: files, top or source")
      ->capture_default_str();
  command.add_option("--roots", flags.roots_path,
                     "Stores: file with the CIDs to pack, one a line; else what is pinned, or what a CAR names");
  command.add_flag("--one-item-per-piece", flags.one_item_per_piece, "Stores: every root in a piece of its own");
  command.add_flag("--partial", flags.partial,
                   "Stores: pack what is there of incomplete DAGs, under a directory that names its tops");
  command.add_flag("--all-blocks", flags.all_blocks, "Stores: every block that no other links to is a root");
  CLI::Option* known = command
                           .add_option("--known", flags.known_paths,
                                       "Leave out what pieces in this earlier output directory hold; may be the --out "
                                       "directory; may be given several times")
                           ->type_name("DIR")
                           ->allow_extra_args(false);
  command
      .add_flag("--known-check", flags.known_check,
                "With --known: files are known by size and content, whatever their mtime; reads them")
      ->needs(known);
  command
      .add_option("--known-grain", flags.known_grain,
                  "With --known, for stores. item: leave out DAGs that were packed; block: of new DAGs also the "
                  "blocks that are in earlier pieces with all below them, and list them as external. Pieces that were "
                  "packed from files make no blocks known")
      ->check(CLI::IsMember({"item", "block"}))
      ->needs(known)
      ->capture_default_str();
  command.add_option("--chunk-size", flags.chunk_size, "Bytes a chunk, instead of the profile's");
  command.add_option("--max-links", flags.max_links, "Links a file node, instead of the profile's");
  command.add_option("--raw-leaves", flags.raw_leaves, "Leaves as raw blocks, instead of the profile's")
      ->check(CLI::IsMember({"true", "false"}));
  command.add_option("--cid-version", flags.cid_version, "0 or 1, instead of the profile's");
  command.add_option("--hamt-threshold", flags.hamt_threshold,
                     "block-bytes:N or links-bytes:N, instead of the profile's");
  command
      .add_option("--scratch", flags.scratch_path,
                  "Directory for standard input and what does not fit --memory (default: beside what is written); "
                  "nothing is left in it")
      ->type_name("DIR");
  command
      .add_option("--on-source-error", flags.on_source_error, "A source that cannot be read: fail, or skip the item")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
}

Result<engine::PlanOptions> plan_options(const PlanFlags& flags) {
  engine::PlanOptions options;
  PIECEWORK_ASSIGN(options.profile, engine::profile_by_name(flags.profile));
  PIECEWORK_TRY(apply_profile_flags(flags, options.profile));
  PIECEWORK_ASSIGN(options.dedup, engine::dedup_by_name(flags.dedup));
  PIECEWORK_ASSIGN(options.items, engine::item_policy_by_name(flags.items));
  options.include_hidden = flags.hidden == "include";
  options.one_item_per_piece = flags.one_item_per_piece;
  options.partial = flags.partial;
  options.all_blocks = flags.all_blocks;
  if (flags.all_blocks && !flags.roots_path.empty()) return usage("--all-blocks finds the roots; leave --roots out");
  PIECEWORK_ASSIGN(const uint64_t piece_bytes, parse_piece_size(flags.piece_size));
  options.piece_size_text = flags.piece_size;
  options.payload_bytes_max = engine::payload_capacity_bytes(piece_bytes);
  return options;
}

Result<engine::SourceErrorPolicy> source_error_policy(const PlanFlags& flags) {
  return flags.on_source_error == "skip" ? engine::SourceErrorPolicy::kSkip : engine::SourceErrorPolicy::kFail;
}

engine::KnownGrain known_grain(const PlanFlags& flags) {
  return flags.known_grain == "block" ? engine::KnownGrain::kBlock : engine::KnownGrain::kItem;
}

Result<std::string> scratch_path(const PlanFlags& flags, const std::string& usual) {
  if (flags.scratch_path.empty()) return usual;
  PIECEWORK_TRY(io::check_scratch_directory(flags.scratch_path));
  return flags.scratch_path;
}

std::vector<engine::Source> sources_of(const PlanFlags& flags) {
  std::vector<engine::Source> sources;
  for (const std::string& argument : flags.sources) sources.push_back(engine::parse_source(argument));
  return sources;
}

void print_known(const engine::KnownTotals& known) {
  if (known.item_count > 0) {
    print_message(fmt::format("known: {} items ({}) are in earlier pieces and left out", known.item_count,
                              format_bytes(known.bytes)));
  }
  if (known.block_count > 0) {
    print_message(fmt::format("known: {} blocks ({} with all below them) are in earlier pieces, linked and left out",
                              known.block_count, format_bytes(known.block_bytes)));
  }
}

Json skipped_json(const std::vector<engine::SkippedItem>& skipped) {
  Json list = Json::array();
  for (const engine::SkippedItem& item : skipped) {
    Json entry = Json::object();
    set_path(entry, item.path);
    entry["reason"] = item.reason;
    list.push_back(std::move(entry));
  }
  return list;
}

void print_skipped(const std::vector<engine::SkippedItem>& skipped) {
  for (size_t i = 0; i < skipped.size() && i < kSkippedLinesMax; ++i) {
    print_message(fmt::format("left out: {} ({})", skipped[i].path, skipped[i].reason));
  }
  if (skipped.size() > kSkippedLinesMax) {
    print_message(fmt::format("left out: {} more; --json lists all", skipped.size() - kSkippedLinesMax));
  }
}

}  // namespace piecework::tools
