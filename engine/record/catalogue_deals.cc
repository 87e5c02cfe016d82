// The deals of a piece, as the catalogue's reader sees them: what the book says, with claim and evidence apart.
#include "engine/record/catalogue_reader.h"

namespace piecework::engine {
namespace {

constexpr char kDealsOfPiece[] =
    "SELECT d.deal, d.network, d.provider, d.kind, d.deal_id, d.claim_id, d.sector, d.activation_epoch, d.start_epoch, "
    "d.end_epoch, d.state, a.client_key, a.signed_cid, "
    "c.verdict, c.at, c.endpoint, c.tipset_epoch, c.tipset, c.detail, "
    "e.verdict, e.at, e.endpoint, e.tipset_epoch, e.tipset, e.detail "
    "FROM deals d LEFT JOIN attempts a USING(attempt) LEFT JOIN observations c ON c.observation=d.claim "
    "LEFT JOIN observations e ON e.observation=d.evidence WHERE d.piece=? ORDER BY d.network, d.provider, d.deal";
constexpr int kClaimColumn = 13;
constexpr int kEvidenceColumn = 19;

std::optional<DealWitness> read_witness(const Statement& row, int first) {
  if (row.column_is_null(first)) return std::nullopt;
  return DealWitness{.verdict = std::string(row.column_text(first)),
                     .at_s = row.column_int64(first + 1),
                     .endpoint = std::string(row.column_text(first + 2)),
                     .tipset_epoch = row.column_int64(first + 3),
                     .tipset = std::string(row.column_text(first + 4)),
                     .detail = std::string(row.column_text(first + 5))};
}

}  // namespace

Result<std::vector<CatalogueDeal>> CatalogueReader::deals_of(uint64_t piece_id) {
  PIECEWORK_ASSIGN(Statement * find, statement(kDealsOfPiece));
  std::vector<CatalogueDeal> deals;
  find->bind(1, piece_id);
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return deals;
    CatalogueDeal& deal = deals.emplace_back();
    deal.id = find->column_uint64(0);
    deal.network = find->column_text(1);
    deal.provider = find->column_text(2);
    deal.kind = find->column_text(3);
    deal.deal_id = find->column_optional(4);
    deal.claim_id = find->column_optional(5);
    deal.sector = find->column_optional(6);
    deal.activation_epoch = find->column_optional(7);
    deal.start_epoch = find->column_int64(8);
    deal.end_epoch = find->column_int64(9);
    deal.state = find->column_text(10);
    deal.client_key = find->column_text(11);
    deal.signed_proposal_cid = find->column_text(12);
    deal.claim = read_witness(*find, kClaimColumn);
    deal.evidence = read_witness(*find, kEvidenceColumn);
  }
}

}  // namespace piecework::engine
