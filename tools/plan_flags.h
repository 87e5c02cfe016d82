// The flags that decide a plan, shared by `plan` and `pack`.
#pragma once

#include <string>
#include <vector>

#include "engine/plan/make_plan.h"
#include "io/backend.h"
#include "tools/cli.h"
#include "tools/json_output.h"

namespace piecework::tools {

// As given on the command line; resolved by plan_options().
struct PlanFlags {
  std::vector<std::string> sources;
  std::string piece_size = "32GiB";
  std::string profile = "unixfs-v1-2025";
  std::string hidden = "include";
  std::string dedup = "files";
  std::string items = "files";
  std::string chunk_size;
  std::string max_links;
  std::string raw_leaves;
  std::string cid_version;
  std::string hamt_threshold;
  std::string on_source_error = "fail";
  std::string roots_path;
  std::vector<std::string> known_paths;
  std::string scratch_path;
  bool known_check = false;
  std::string known_grain = "item";
  bool one_item_per_piece = false;
  bool partial = false;
  bool all_blocks = false;
};

// Sources are required unless `sources_optional` (a plan may stand in).
void add_plan_flags(CLI::App& command, PlanFlags& flags, bool sources_optional);

// Errors: kInvalidArgument, naming the flag.
Result<engine::PlanOptions> plan_options(const PlanFlags& flags);
Result<engine::SourceErrorPolicy> source_error_policy(const PlanFlags& flags);
engine::KnownGrain known_grain(const PlanFlags& flags);
// The directory of --scratch, which is there and can be written; `usual` where the flag is missing.
Result<std::string> scratch_path(const PlanFlags& flags, const std::string& usual);
std::vector<engine::Source> sources_of(const PlanFlags& flags);

// One line for people on what was left out because it is known; nothing where nothing was.
void print_known(const engine::KnownTotals& known);

// {path, reason} of everything that was left out.
Json skipped_json(const std::vector<engine::SkippedItem>& skipped);
// The same as lines for people, the first few.
void print_skipped(const std::vector<engine::SkippedItem>& skipped);

}  // namespace piecework::tools
