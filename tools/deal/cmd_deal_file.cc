// `piecework deal export|import`: the book as a table for other tools and people, and what they say back.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "engine/record/deal_book.h"
#include "tools/deal/csv.h"
#include "tools/deal/deal_commands.h"
#include "tools/deal/deal_session.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

constexpr size_t kImportBytesMax = size_t{64} << 20;

struct ExportFlags {
  std::string catalogue_path;
  std::string format = "json";
};

struct ImportFlags : DealFlags {
  std::string path;
};

// One row an attempt, or a deal that was adopted, in the order of the columns.
using ExportRow = std::vector<std::pair<std::string, Json>>;

ExportRow export_row(const engine::CataloguePiece& piece, const engine::OpenAttempt& open,
                     const std::optional<engine::CatalogueDeal>& deal) {
  const engine::AttemptTerms& terms = open.attempt.terms;
  const auto number = [](const std::optional<uint64_t>& value) { return value ? Json(*value) : Json(); };
  return {{"piece_cid_v1", piece.cid_v1},
          {"piece_cid_v2", piece.cid_v2},
          {"root_cid", piece.root.text()},
          {"payload_bytes", piece.payload_bytes},
          {"padded_bytes", piece.padded_bytes},
          {"network", open.intent.network},
          {"provider", open.intent.provider},
          {"client", open.attempt.client},
          {"slot", open.intent.slot},
          {"generation", open.intent.generation},
          {"reason", name_of(open.intent.reason)},
          {"protocol", open.attempt.protocol},
          {"client_key", open.attempt.prepared.client_key},
          {"signed_proposal_cid", open.attempt.prepared.signed_proposal_cid.text()},
          {"label", printable(terms.label)},
          {"is_verified", terms.is_verified},
          {"start_epoch", terms.start_epoch},
          {"end_epoch", terms.end_epoch},
          {"price_per_epoch_attofil", terms.price_per_epoch.text()},
          {"provider_collateral_attofil", terms.provider_collateral.text()},
          {"client_collateral_attofil", terms.client_collateral.text()},
          {"attempt", name_of(open.attempt.state)},
          {"deal", name_of(open.deal_state)},
          {"deal_id", number(deal ? deal->deal_id : std::nullopt)},
          {"claim_id", number(deal ? deal->claim_id : std::nullopt)},
          {"sector", number(deal ? deal->sector : std::nullopt)}};
}

// Of a deal that was adopted: what an attempt would say is not known.
ExportRow adopted_row(const engine::CataloguePiece& piece, const engine::CatalogueDeal& deal) {
  engine::OpenAttempt open;
  open.intent.network = deal.network;
  open.intent.provider = deal.provider;
  open.attempt.terms.start_epoch = deal.start_epoch;
  open.attempt.terms.end_epoch = deal.end_epoch;
  ExportRow row = export_row(piece, open, deal);
  constexpr std::array<std::string_view, 12> kUnknown{"client",
                                                      "slot",
                                                      "generation",
                                                      "protocol",
                                                      "client_key",
                                                      "signed_proposal_cid",
                                                      "label",
                                                      "is_verified",
                                                      "price_per_epoch_attofil",
                                                      "provider_collateral_attofil",
                                                      "client_collateral_attofil",
                                                      "attempt"};
  for (auto& [name, value] : row) {
    if (std::find(kUnknown.begin(), kUnknown.end(), name) != kUnknown.end()) value = Json();
    if (name == "reason") value = "adopted";
    if (name == "deal") value = deal.state;
  }
  return row;
}

Result<std::vector<ExportRow>> export_rows(const std::string& catalogue_path) {
  PIECEWORK_ASSIGN(engine::DealBook book, engine::DealBook::open_to_read(catalogue_path));
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(catalogue_path));
  PIECEWORK_ASSIGN(const std::vector<uint64_t> pieces, book.pieces());
  std::vector<ExportRow> rows;
  for (const uint64_t id : pieces) {
    PIECEWORK_ASSIGN(const engine::CataloguePiece piece, reader.piece(id));
    PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> attempts, book.attempts_of(id));
    PIECEWORK_ASSIGN(const std::vector<engine::CatalogueDeal> deals, reader.deals_of(id));
    for (const engine::OpenAttempt& open : attempts) {
      const std::string& key = open.attempt.prepared.client_key;
      const auto deal = std::find_if(deals.begin(), deals.end(),
                                     [&key](const engine::CatalogueDeal& each) { return each.client_key == key; });
      rows.push_back(export_row(piece, open, deal == deals.end() ? std::nullopt : std::optional(*deal)));
    }
    for (const engine::CatalogueDeal& deal : deals) {
      if (deal.client_key.empty()) rows.push_back(adopted_row(piece, deal));
    }
  }
  return rows;
}

Result<int> run_export(const ExportFlags& flags) {
  PIECEWORK_ASSIGN(const std::vector<ExportRow> rows, export_rows(flags.catalogue_path));
  if (flags.format == "csv") {
    std::string text;
    CsvRow names;
    for (const auto& [name, value] : rows.empty() ? export_row({}, {}, std::nullopt) : rows.front()) {
      names.push_back(name);
    }
    text += csv_line(names);
    for (const ExportRow& row : rows) {
      CsvRow fields;
      for (const auto& [name, value] : row) {
        fields.push_back(value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump());
      }
      text += csv_line(fields);
    }
    PIECEWORK_TRY(print_text(text));
    return kExitDone;
  }
  Json list = Json::array();
  for (const ExportRow& row : rows) {
    Json object = Json::object();
    for (const auto& [name, value] : row) object[name] = value;
    list.push_back(std::move(object));
  }
  PIECEWORK_TRY(print_json({{"format", "piecework deals 1"}, {"deals", list}}));
  return kExitDone;
}

// What a file says became of an attempt: a provider's claim, told by hand or by another tool.
struct ImportedClaim {
  std::string client_key;
  std::string outcome;  // "accepted", "rejected" or "published"
  std::optional<uint64_t> deal_id;
  std::string publish_cid;
  std::string detail;
};

tl::unexpected<Error> bad_row(std::string_view path, size_t row, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("'{}' row {}: {}", printable(path), row, what));
}

Result<ImportedClaim> read_claim(const CsvRow& names, const CsvRow& fields, std::string_view path, size_t number) {
  ImportedClaim claim;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string& field = fields[i];
    if (names[i] == "client_key") {
      claim.client_key = field;
    } else if (names[i] == "outcome") {
      claim.outcome = field;
    } else if (names[i] == "publish_cid") {
      if (!field.empty() && !engine::parse_cid(field)) return bad_row(path, number, "publish_cid is no CID");
      claim.publish_cid = field;
    } else if (names[i] == "detail") {
      claim.detail = field.substr(0, engine::kProviderTextBytesMax);
    } else if (names[i] != "deal_id") {
      return bad_row(path, number, fmt::format("unknown column '{}'", printable(names[i])));
    } else if (!field.empty()) {
      uint64_t id = 0;
      const auto [end, code] = std::from_chars(field.data(), field.data() + field.size(), id);
      if (code != std::errc() || end != field.data() + field.size() || id == 0 || id > INT64_MAX) {
        return bad_row(path, number, "deal_id is no number of a deal");
      }
      claim.deal_id = id;
    }
  }
  const bool is_known = claim.outcome == "accepted" || claim.outcome == "rejected" || claim.outcome == "published";
  if (!is_known) return bad_row(path, number, "outcome: expected accepted, rejected or published");
  if (claim.outcome == "published" && !claim.deal_id && claim.publish_cid.empty()) {
    return bad_row(path, number, "published: expected deal_id or publish_cid");
  }
  return claim;
}

// JSON: an array of objects with the columns as keys; else CSV with a line of names.
Result<std::vector<ImportedClaim>> read_claims(std::string_view text, std::string_view path) {
  std::vector<CsvRow> rows;
  const Json parsed = Json::parse(text, nullptr, false);
  if (parsed.is_array()) {
    const CsvRow names = {"client_key", "outcome", "deal_id", "publish_cid", "detail"};
    rows.push_back(names);
    for (const Json& object : parsed) {
      if (!object.is_object()) return bad_row(path, rows.size(), "expected an object");
      CsvRow& row = rows.emplace_back(names.size());
      for (const auto& [key, value] : object.items()) {
        const auto column = std::find(names.begin(), names.end(), key);
        if (column == names.end())
          return bad_row(path, rows.size() - 1, fmt::format("unknown key '{}'", printable(key)));
        row[static_cast<size_t>(column - names.begin())] = value.is_string() ? value.get<std::string>() : value.dump();
      }
    }
  } else {
    PIECEWORK_ASSIGN(rows, parse_csv(text, path));
  }
  std::vector<ImportedClaim> claims;
  for (size_t i = 1; i < rows.size(); ++i) {
    PIECEWORK_ASSIGN(ImportedClaim claim, read_claim(rows.front(), rows[i], path, i));
    claims.push_back(std::move(claim));
  }
  return claims;
}

engine::Verdict verdict_of(const std::string& outcome) {
  if (outcome == "accepted") return engine::Verdict::kClaimsKnown;
  return outcome == "rejected" ? engine::Verdict::kRejected : engine::Verdict::kClaimsPublished;
}

Result<std::string> read_import(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, ErrorSide::kSource, fmt::format("'{}': no such file", printable(path)));
  std::string text(kImportBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (!file.bad() && text.size() <= kImportBytesMax) return text;
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("'{}': cannot be read, or has more than {} bytes", printable(path), kImportBytesMax));
}

Result<int> run_import(const ImportFlags& flags) {
  PIECEWORK_ASSIGN(const std::string text, read_import(flags.path));
  PIECEWORK_ASSIGN(const std::vector<ImportedClaim> claims, read_claims(text, flags.path));
  PIECEWORK_ASSIGN(const std::unique_ptr<DealSession> session, DealSession::open(flags));
  std::vector<std::pair<uint64_t, const ImportedClaim*>> known;
  for (size_t i = 0; i < claims.size(); ++i) {
    PIECEWORK_ASSIGN(const std::optional<uint64_t> attempt, session->book().find_attempt(claims[i].client_key));
    if (!attempt)
      return bad_row(flags.path, i + 1, fmt::format("no attempt has the key '{}'", printable(claims[i].client_key)));
    known.emplace_back(*attempt, &claims[i]);
  }
  for (const auto& [attempt, claim] : known) {
    engine::Observation said{.at_s = deal_now_s(), .source = engine::ObservationSource::kProvider};
    said.verdict = verdict_of(claim->outcome);
    said.facts.deal_id = claim->deal_id;
    said.facts.publish_cid = claim->publish_cid;
    said.endpoint = printable(flags.path);
    said.method = "import";
    said.detail = printable(claim->detail);
    PIECEWORK_TRY(session->book().observe(engine::Subject::attempt(attempt), said));
  }
  PIECEWORK_TRY(flags.json ? print_json({{"imported", known.size()}})
                           : print_text(fmt::format("{} outcomes taken into the book\n", known.size())));
  return kExitDone;
}

}  // namespace

void add_deal_file_commands(CLI::App& deal, Invocation& invocation) {
  const auto out = std::make_shared<ExportFlags>();
  CLI::App* command = add_command(deal, {.name = "export",
                                         .summary = "Every attempt and every deal as a table, on standard output",
                                         .example = "piecework deal export --catalogue site.catalogue --format csv"});
  command->add_option("--catalogue", out->catalogue_path, "The catalogue")->required();
  command->add_option("--format", out->format, "json or csv (default: json)")->check(CLI::IsMember({"json", "csv"}));
  command->callback([out, &invocation] { invocation.run = [out] { return run_export(*out); }; });

  const auto in = std::make_shared<ImportFlags>();
  command = add_command(deal, {.name = "import",
                               .summary = "What providers said by other ways, from JSON or CSV: claims, no evidence",
                               .example = "piecework deal import outcomes.csv --policy sites.toml --catalogue "
                                          "site.catalogue"});
  command->add_option("FILE", in->path, "Columns client_key, outcome, deal_id, publish_cid, detail")->required();
  add_deal_flags(*command, *in);
  command->callback([in, &invocation] { invocation.run = [in] { return run_import(*in); }; });
}

}  // namespace piecework::tools
