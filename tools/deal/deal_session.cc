#include "tools/deal/deal_session.h"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "io/process_identity.h"
#include "kernels/sha256/sha256.h"
#include "tools/catalogue_flags.h"
#include "tools/test_build.h"

namespace piecework::tools {

int64_t deal_now_s() {
  if (const std::optional<int64_t> given_s = now_from_environment()) return *given_s;
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void add_deal_flags(CLI::App& command, DealFlags& flags) {
  command.add_option("--catalogue", flags.catalogue_path, "The catalogue with the pieces")->required();
  command.add_option("--policy", flags.policy_path, "The policy, a TOML file")->required();
  add_wait_flag(command, flags.wait_s);
  add_json_flag(command, flags.json);
}

void add_live_flags(CLI::App& command, DealFlags& flags) {
  command.add_flag("--live", flags.is_live, "Send; without it nothing leaves this machine");
  command.add_option("--network", flags.network, "With --live: the network, as the policy names it");
}

Result<NamedPolicy> read_policy_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(ErrorCode::kNotFound, ErrorSide::kConfig, fmt::format("'{}': no such policy", printable(path)));
  }
  NamedPolicy named;
  named.text.resize(engine::kPolicyBytesMax + 1);
  file.read(named.text.data(), static_cast<std::streamsize>(named.text.size()));
  if (file.bad()) {
    return fail(ErrorCode::kIo, ErrorSide::kConfig, fmt::format("'{}': cannot be read", printable(path)));
  }
  named.text.resize(static_cast<size_t>(file.gcount()));
  PIECEWORK_ASSIGN(named.policy, engine::parse_deal_policy(named.text, path));
  named.digest = to_hex(kernels::sha256(as_bytes(named.text)));
  return named;
}

Status check_network(const DealFlags& flags, const engine::DealPolicy& policy) {
  if (flags.network == policy.network.name) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("to send anything, name the policy's network: --network {}; found '{}'", policy.network.name,
                          printable(flags.network)));
}

Result<std::unique_ptr<DealSession>> DealSession::open(const DealFlags& flags) {
  PIECEWORK_ASSIGN(NamedPolicy named, read_policy_file(flags.policy_path));
  PIECEWORK_ASSIGN(engine::DealBook book,
                   engine::DealBook::open(flags.catalogue_path, static_cast<int>(flags.wait_s) * 1000));
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  std::unique_ptr<DealSession> session(new DealSession(std::move(named), std::move(book), std::move(reader)));
  PIECEWORK_TRY(session->begin());
  return session;
}

Status DealSession::begin() {
  const int64_t now_s = deal_now_s();
  PIECEWORK_TRY(book_.take_lease(io::process_identity(), now_s, io::is_surely_gone));
  PIECEWORK_TRY(book_.note_network(policy().network));
  PIECEWORK_ASSIGN(policy_id_, book_.note_policy(policy().name, named_.digest, named_.text, now_s));
  for (const engine::PolicyProvider& provider : policy().providers) {
    PIECEWORK_TRY(book_.note_provider(provider, now_s));
  }
  return book_.note_wallet(policy().client, "", name_of(policy().signer.kind), policy().signer.reference);
}

Result<bool> DealSession::is_of_campaign(const engine::IntentRow& intent) {
  PIECEWORK_ASSIGN(const std::string campaign, book_.campaign_of(intent.policy_id));
  return campaign == policy().name;
}

// A lease that cannot be given back runs out by itself.
DealSession::~DealSession() { static_cast<void>(book_.release_lease()); }

}  // namespace piecework::tools
