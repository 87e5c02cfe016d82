#include "tools/deal/deal_parties.h"

#include <fmt/format.h>

#include "tools/deal/adapter_options.h"
#include "tools/deal/command_adapter.h"
#include "tools/deal/mk12_adapter.h"
#include "tools/deal/mk20_adapter.h"
#include "tools/deal/offline_adapter.h"
#include "tools/deal/remote_signers.h"
#include "tools/test_build.h"

namespace piecework::tools {
namespace {

Result<std::unique_ptr<engine::DealSigner>> open_signer(const engine::DealPolicy& policy, io::HttpClient& http,
                                                        const std::atomic<bool>* stop) {
  const engine::SignerChoice& choice = policy.signer;
  const char prefix = policy.network.address_prefix;
  PIECEWORK_ASSIGN(engine::Address client, engine::Address::parse(policy.client, prefix));
  if (choice.kind == engine::SignerChoice::Kind::kCommand) {
    PIECEWORK_ASSIGN(CommandSigner signer, CommandSigner::make(std::move(client), prefix, choice.command, stop));
    return std::make_unique<CommandSigner>(std::move(signer));
  }
  if (choice.kind == engine::SignerChoice::Kind::kRpc) {
    PIECEWORK_TRY(io::check_url(choice.reference));
    std::string token;
    if (!choice.token_file.empty()) {
      PIECEWORK_ASSIGN(token, read_token_file(choice.token_file));
    }
    return std::make_unique<WalletSigner>(std::move(client), prefix, RpcClient(choice.reference, token, http));
  }
  PIECEWORK_ASSIGN(engine::SecretKey key, engine::read_key_file(choice.reference));
  PIECEWORK_ASSIGN(engine::KeySigner signer, engine::KeySigner::make(std::move(key)));
  return std::make_unique<engine::KeySigner>(std::move(signer));
}

}  // namespace

Result<std::unique_ptr<engine::DealSigner>> make_signer(const engine::DealPolicy& policy, io::HttpClient& http,
                                                        const std::atomic<bool>* stop) {
  PIECEWORK_ASSIGN(std::unique_ptr<engine::DealSigner> signer, open_signer(policy, http, stop));
  const std::string address = signer->address().text(policy.network.address_prefix);
  if (address == policy.client) return signer;
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("the signer's address is {}, the policy's client is {}", address, policy.client));
}

// As the policy says, else as the provider says on chain. There it is a stranger's word: by https alone, since http is
// for this machine itself, and would reach whatever listens here. On a devnet the providers may be here too.
Result<std::string> DealParties::url_of(const engine::PolicyProvider& provider) {
  if (!provider.url.empty()) return provider.url;
  PIECEWORK_ASSIGN(const engine::Address address, engine::Address::parse(provider.id, policy_.network.address_prefix));
  const ChainAnswer<engine::MinerInfo> miner = chain_.node().miner_info(address, chain_.finalized());
  if (miner.verdict == ChainVerdict::kNoAnswer) {
    return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
                fmt::format("'{}' does not say where {} is: {}", printable(chain_.point().endpoint), provider.id,
                            miner.message));
  }
  for (const std::string& url : miner.value.urls) {
    const bool is_remote = url.starts_with("https://");
    if (io::check_url(url) && (is_remote || policy_.network.name == "devnet")) return url;
  }
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
              fmt::format("{} names no address for HTTPS on chain: put its url into the policy", provider.id));
}

Result<std::unique_ptr<engine::DealAdapter>> DealParties::make(const engine::PolicyProvider& provider) {
  if (provider.protocol == engine::DealProtocol::kOffline) {
    return std::make_unique<OfflineAdapter>(offline_directory_, signer_);
  }
  if (provider.protocol == engine::DealProtocol::kCommand) {
    PIECEWORK_ASSIGN(CommandAdapter adapter, CommandAdapter::make(provider.command, signer_, stop_));
    return std::make_unique<CommandAdapter>(std::move(adapter));
  }
  AdapterOptions options;
  PIECEWORK_ASSIGN(const std::string url, url_of(provider));
  PIECEWORK_ASSIGN(options.base_url, base_url(url));
  if (const std::optional<int64_t> given_ms = deal_timeout_ms_from_environment()) {
    options.submit_timeout_ms = options.query_timeout_ms = *given_ms;
  }
  options.unix_time_ms = [now_s = now_s_] { return now_s() * 1000; };
  if (provider.protocol == engine::DealProtocol::kMk12) {
    return std::make_unique<Mk12Adapter>(std::move(options), http_, signer_);
  }
  return std::make_unique<Mk20Adapter>(std::move(options), http_, signer_);
}

const engine::PolicyProvider* DealParties::provider_of(const engine::OpenAttempt& open) const {
  const engine::PolicyProvider* const provider = policy_.find_provider(open.intent.provider);
  const bool is_its = provider != nullptr && open.attempt.client == policy_.client &&
                      name_of(provider->protocol) == open.attempt.protocol;
  return is_its ? provider : nullptr;
}

Result<engine::DealAdapter*> DealParties::adapter_of(const std::string& provider) {
  std::unique_ptr<engine::DealAdapter>& adapter = adapters_[provider];
  if (adapter == nullptr) {
    const engine::PolicyProvider* const known = policy_.find_provider(provider);
    if (known == nullptr) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
                  fmt::format("the policy has no provider {} any more: name a policy that has it", provider));
    }
    PIECEWORK_ASSIGN(adapter, make(*known));
  }
  return adapter.get();
}

}  // namespace piecework::tools
