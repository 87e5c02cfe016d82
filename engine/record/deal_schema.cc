#include "engine/record/deal_schema.h"

namespace piecework::engine {

// Amounts are decimal text in attoFIL (they outgrow 64 bits), times are seconds since 1970, epochs are the chain's.
const char kDealTables[] = R"sql(
DROP TABLE deals;
CREATE TABLE providers(
  provider TEXT PRIMARY KEY, owner TEXT NOT NULL, region TEXT NOT NULL, protocol TEXT NOT NULL, endpoint TEXT NOT NULL,
  noted_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE networks(
  network TEXT PRIMARY KEY, genesis_s INTEGER NOT NULL, epoch_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE policies(
  policy INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL,
  noted_at INTEGER NOT NULL) STRICT;
CREATE TABLE wallets(
  address TEXT PRIMARY KEY, id_address TEXT, key_kind TEXT NOT NULL CHECK(key_kind IN ('key_file', 'command', 'rpc')),
  key_reference TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE intents(
  intent INTEGER PRIMARY KEY, network TEXT NOT NULL REFERENCES networks, piece INTEGER NOT NULL REFERENCES pieces,
  provider TEXT NOT NULL REFERENCES providers, slot INTEGER NOT NULL CHECK(slot >= 0),
  generation INTEGER NOT NULL CHECK(generation >= 0), policy INTEGER NOT NULL REFERENCES policies,
  reason TEXT NOT NULL CHECK(reason IN ('new', 'renew', 'repair')), renews INTEGER REFERENCES deals,
  renew_before_epochs INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE(network, piece, slot, generation)) STRICT;
CREATE TABLE attempts(
  attempt INTEGER PRIMARY KEY, intent INTEGER NOT NULL REFERENCES intents, protocol TEXT NOT NULL,
  client_key TEXT NOT NULL UNIQUE, request BLOB NOT NULL, client TEXT NOT NULL REFERENCES wallets,
  proposal_cid TEXT NOT NULL, onchain_cid TEXT NOT NULL, signed_cid TEXT NOT NULL, label TEXT NOT NULL,
  is_verified INTEGER NOT NULL CHECK(is_verified IN (0, 1)), allocation_id INTEGER,
  start_epoch INTEGER NOT NULL, end_epoch INTEGER NOT NULL CHECK(end_epoch > start_epoch),
  price_per_epoch TEXT NOT NULL, provider_collateral TEXT NOT NULL, client_collateral TEXT NOT NULL,
  transfer TEXT NOT NULL, prepared_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('planned', 'prepared', 'sending', 'accepted', 'rejected', 'unknown'))) STRICT;
CREATE UNIQUE INDEX one_live_attempt ON attempts(intent) WHERE state <> 'rejected';
CREATE TABLE deals(
  deal INTEGER PRIMARY KEY, attempt INTEGER UNIQUE REFERENCES attempts,
  network TEXT NOT NULL REFERENCES networks, piece INTEGER NOT NULL REFERENCES pieces,
  provider TEXT NOT NULL, client TEXT NOT NULL,
  kind TEXT NOT NULL CHECK(kind IN ('f05', 'ddo', 'ddo-verified', 'pdp', 'aggregate')), label TEXT NOT NULL,
  start_epoch INTEGER NOT NULL, end_epoch INTEGER NOT NULL, renew_before_epochs INTEGER NOT NULL,
  deal_id INTEGER, allocation_id INTEGER, claim_id INTEGER, sector INTEGER, publish_cid TEXT NOT NULL,
  activation_epoch INTEGER, expiration_epoch INTEGER, state TEXT NOT NULL, as_of_epoch INTEGER NOT NULL,
  faulty_since INTEGER, claim INTEGER REFERENCES observations, evidence INTEGER REFERENCES observations,
  UNIQUE(network, kind, deal_id)) STRICT;
CREATE INDEX deals_by_piece ON deals(piece);
CREATE TABLE observations(
  observation INTEGER PRIMARY KEY, attempt INTEGER REFERENCES attempts, deal INTEGER REFERENCES deals,
  at INTEGER NOT NULL, source TEXT NOT NULL CHECK(source IN ('driver', 'provider', 'chain')), verdict TEXT NOT NULL,
  is_ours INTEGER NOT NULL, is_finalized INTEGER NOT NULL, head_epoch INTEGER NOT NULL, tipset_epoch INTEGER NOT NULL,
  deal_id INTEGER, allocation_id INTEGER, claim_id INTEGER, sector INTEGER, activation_epoch INTEGER,
  expiration_epoch INTEGER, publish_cid TEXT NOT NULL, endpoint TEXT NOT NULL, method TEXT NOT NULL,
  tipset TEXT NOT NULL, raw_sha256 TEXT NOT NULL, detail TEXT NOT NULL,
  CHECK((attempt IS NULL) <> (deal IS NULL))) STRICT;
CREATE INDEX observations_by_attempt ON observations(attempt);
CREATE INDEX observations_by_deal ON observations(deal);
CREATE TABLE spends(
  spend INTEGER PRIMARY KEY, attempt INTEGER NOT NULL UNIQUE REFERENCES attempts, network TEXT NOT NULL,
  campaign TEXT NOT NULL, day INTEGER NOT NULL, atto TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('reserved', 'released'))) STRICT;
CREATE INDEX spends_by_campaign ON spends(network, campaign, day);
CREATE TABLE leases(name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER observations_are_kept BEFORE DELETE ON observations BEGIN
  SELECT RAISE(ABORT, 'observations are only added to'); END;
CREATE TRIGGER observations_stay BEFORE UPDATE ON observations BEGIN
  SELECT RAISE(ABORT, 'observations are only added to'); END;
CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts BEGIN
  SELECT RAISE(ABORT, 'what was prepared is kept'); END;
CREATE TRIGGER attempts_stay BEFORE UPDATE OF attempt, intent, protocol, client_key, request, client, proposal_cid,
  onchain_cid, signed_cid, label, is_verified, allocation_id, start_epoch, end_epoch, price_per_epoch,
  provider_collateral, client_collateral, transfer, prepared_at ON attempts BEGIN
  SELECT RAISE(ABORT, 'what was prepared never changes'); END;
CREATE TRIGGER intents_are_kept BEFORE DELETE ON intents WHEN EXISTS(SELECT 1 FROM attempts WHERE intent = old.intent)
  BEGIN SELECT RAISE(ABORT, 'an intent with attempts is kept'); END;
CREATE TRIGGER intents_stay BEFORE UPDATE ON intents BEGIN SELECT RAISE(ABORT, 'intents never change'); END;
CREATE VIEW file_deals AS
  SELECT CASE WHEN length(f.path) = 0 THEN e.name ELSE CAST(f.path || '/' || e.name AS BLOB) END AS path, c.cid AS cid,
         p.cid_v1 AS piece_cid_v1, d.network AS network, d.provider AS provider, d.kind AS kind,
         coalesce(d.deal_id, d.claim_id, d.sector) AS reference, d.state AS state, d.end_epoch AS end_epoch,
         o.at AS seen_at
  FROM entries e JOIN directories f USING(directory) JOIN contents c USING(content) JOIN pieces p ON p.piece = c.piece
    JOIN deals d ON d.piece = c.piece LEFT JOIN observations o ON o.observation = d.evidence;
)sql";

}  // namespace piecework::engine
