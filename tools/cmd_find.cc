// `piecework find PATH|CID|PIECE --catalogue FILE`: which piece, and which deal, holds it? Exit code 66: none.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "engine/record/catalogue_find.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/deal/deal_report.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct FindFlags {
  std::string what;
  std::string catalogue_path;
  std::string source;
  std::string range;
  bool prefix = false;
  bool json = false;
};

Result<std::pair<uint64_t, uint64_t>> parse_range(const std::string& text) {
  uint64_t begin = 0;
  uint64_t last = 0;
  const char* const end = text.data() + text.size();
  const auto [dash, begin_error] = std::from_chars(text.data(), end, begin);
  if (begin_error == std::errc() && dash != end && *dash == '-') {
    const auto [rest, last_error] = std::from_chars(dash + 1, end, last);
    if (last_error == std::errc() && rest == end && begin <= last && last < UINT64_MAX) {
      return std::pair(begin, last + 1);
    }
  }
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("--range {}: expected FIRST-LAST, both bytes of the file counted from 0", printable(text)));
}

std::string_view name_of(engine::ContentKind kind) {
  switch (kind) {
    case engine::ContentKind::kFile:
      return "file";
    case engine::ContentKind::kSymlink:
      return "symlink";
    case engine::ContentKind::kDirectory:
      return "directory";
    case engine::ContentKind::kOther:
      return "other";
    case engine::ContentKind::kExternal:
      break;
  }
  return "external";
}

Json piece_json(const engine::FoundPiece& piece) {
  Json json = {{"piece_cid_v1", piece.facts.cid_v1},
               {"piece_cid_v2", piece.facts.cid_v2},
               {"root_cid", piece.facts.root.text()},
               {"payload_bytes", piece.facts.payload_bytes},
               {"padded_bytes", piece.facts.padded_bytes},
               {"batches", Json::array()},
               {"ranges", Json::array()}};
  for (const engine::CatalogueBatch& batch : piece.batches) {
    Json sources = Json::array();
    for (const std::string& name : batch.source_names) sources.push_back(printable(name));
    json["batches"].push_back({{"plan_digest", batch.plan_digest}, {"batch", batch.batch}, {"sources", sources}});
  }
  for (const engine::CatalogueRange& range : piece.ranges) {
    json["ranges"].push_back({{"file_offset_bytes", range.file_offset_bytes},
                              {"file_bytes", range.file_bytes},
                              {"car_offset_bytes", range.car_offset_bytes},
                              {"car_bytes", range.car_bytes},
                              {"section_bytes", range.section_bytes},
                              {"leaf_bytes", range.leaf_bytes}});
  }
  return json;
}

Json version_json(const engine::FoundVersion& version) {
  const std::string cid = version.entry.cid.text();
  Json json = {{"cid", cid}, {"dagSize", version.dag_bytes}};
  set_path(json, version.entry.path);
  json["kind"] = name_of(version.entry.kind);
  json["size_bytes"] = version.entry.size_bytes;
  json["is_complete"] = version.missing.empty();
  json["pieces"] = Json::array();
  json["deals"] = Json::array();
  for (const engine::FoundPiece& piece : version.pieces) {
    json["pieces"].push_back(piece_json(piece));
    for (const engine::CatalogueDeal& deal : piece.deals) json["deals"].push_back(deal_json(deal, piece.facts, cid));
  }
  json["missing"] = Json::array();
  for (const engine::CatalogueRange& range : version.missing) {
    json["missing"].push_back({{"cid", range.cid.text()},
                               {"file_offset_bytes", range.file_offset_bytes},
                               {"file_bytes", range.file_bytes}});
  }
  return json;
}

std::string version_text(const engine::FoundVersion& version) {
  std::string text = fmt::format("'{}' {} {}, {} bytes\n", printable(version.entry.path), name_of(version.entry.kind),
                                 version.entry.cid.text(), version.entry.size_bytes);
  for (const engine::FoundPiece& piece : version.pieces) {
    text += fmt::format("  piece {}\n        {}\n  root  {}\n", piece.facts.cid_v1, piece.facts.cid_v2,
                        piece.facts.root.text());
    for (const engine::CatalogueBatch& batch : piece.batches) {
      text += fmt::format("  batch {} of plan {}\n", batch.batch, batch.plan_digest);
    }
    for (const engine::CatalogueRange& range : piece.ranges) {
      text += fmt::format("  bytes {}-{} of the file: {} bytes of the CAR from {}\n", range.file_offset_bytes,
                          range.file_offset_bytes + range.file_bytes, range.car_bytes, range.car_offset_bytes);
    }
    for (const engine::CatalogueDeal& deal : piece.deals) {
      text += deal_text(deal);
    }
  }
  for (const engine::CatalogueRange& range : version.missing) {
    text += fmt::format("  missing: {}, bytes {}-{} of the file, in no piece of this catalogue\n", range.cid.text(),
                        range.file_offset_bytes, range.file_offset_bytes + range.file_bytes);
  }
  return text;
}

Result<int> run_find(const FindFlags& flags) {
  engine::FindRequest request{.what = flags.what, .is_prefix = flags.prefix};
  if (!flags.source.empty()) request.source = flags.source;
  if (!flags.range.empty()) {
    PIECEWORK_ASSIGN(request.range, parse_range(flags.range));
  }
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  Json json = Json::object();
  set_path(json, flags.what);
  json["found"] = Json::array();
  uint64_t count = 0;
  PIECEWORK_TRY(engine::find_in_catalogue(reader, request, [&](const engine::FoundVersion& version) -> Status {
    ++count;
    if (!flags.json) return print_text(version_text(version));
    json["found"].push_back(version_json(version));
    return {};
  }));
  if (flags.json) PIECEWORK_TRY(print_json(json));
  if (count > 0) return kExitDone;
  print_message(fmt::format("'{}' is in no piece of '{}'", printable(flags.what), printable(flags.catalogue_path)));
  return kExitMissing;
}

}  // namespace

void add_find_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<FindFlags>();
  CLI::App* command =
      add_command(app, {.name = "find",
                        .summary = "Which piece, and which deal, holds a file? None: exit code 66",
                        .example = "piecework find docs/index.html --catalogue site.catalogue --json"});
  command->add_option("PATH|CID|PIECE", flags->what, "A path, the CID of a file, directory or root, or a piece CID")
      ->required();
  command->add_option("--catalogue", flags->catalogue_path, "The catalogue")->required();
  command->add_option("--source", flags->source, "Only pieces of plans with this source; PATH is then below it");
  command->add_flag("--prefix", flags->prefix, "All files whose path begins with PATH");
  command->add_option("--range", flags->range, "Where these bytes of the file stand")->type_name("FIRST-LAST");
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_find(*flags); }; });
}

}  // namespace piecework::tools
