// What the commands that change the book of deals begin with: the policy, the catalogue, the lease.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/deal/deal_policy.h"
#include "engine/record/catalogue_reader.h"
#include "engine/record/deal_book.h"
#include "tools/cli.h"

namespace piecework::tools {

struct DealFlags {
  std::string catalogue_path;
  std::string policy_path;
  std::string network;  // named by whoever wants something to be sent
  bool is_live = false;
  unsigned wait_s = 10;
  bool json = false;
};

// Seconds since 1970. Test builds take them from PIECEWORK_NOW where it is set.
int64_t deal_now_s();

// --catalogue, --policy, --wait, --json.
void add_deal_flags(CLI::App& command, DealFlags& flags);
// --live and --network.
void add_live_flags(CLI::App& command, DealFlags& flags);

// The policy of a file, and the SHA-256 of its text.
struct NamedPolicy {
  engine::DealPolicy policy;
  std::string text;
  std::string digest;
};
// Errors: kNotFound, kInvalidArgument (config) and those of reading.
Result<NamedPolicy> read_policy_file(const std::string& path);

// That --network names the policy's, so that nobody sends to one what was meant for the other. Errors:
// kInvalidArgument (config).
Status check_network(const DealFlags& flags, const engine::DealPolicy& policy);

// The catalogue open for writing, with the lease, and the policy noted in it. Thread-compatible.
class DealSession {
 public:
  static Result<std::unique_ptr<DealSession>> open(const DealFlags& flags);
  DealSession(const DealSession&) = delete;
  DealSession& operator=(const DealSession&) = delete;
  ~DealSession();

  const engine::DealPolicy& policy() const { return named_.policy; }
  const std::string& network() const { return named_.policy.network.name; }
  uint64_t policy_id() const { return policy_id_; }
  engine::DealBook& book() { return book_; }
  // Whether an intent is of this policy's campaign: of others nothing is sent, settled or uploaded.
  Result<bool> is_of_campaign(const engine::IntentRow& intent);
  engine::CatalogueReader& reader() { return reader_; }

 private:
  DealSession(NamedPolicy named, engine::DealBook book, engine::CatalogueReader reader)
      : named_(std::move(named)), book_(std::move(book)), reader_(std::move(reader)) {}
  Status begin();

  NamedPolicy named_;
  engine::DealBook book_;
  engine::CatalogueReader reader_;
  uint64_t policy_id_ = 0;
};

}  // namespace piecework::tools
