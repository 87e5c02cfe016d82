// Who signs, and who speaks to a provider, as a policy says.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_policy.h"
#include "engine/deal/deal_signer.h"
#include "engine/record/deal_rows.h"
#include "io/http_client.h"
#include "tools/deal/chain_choice.h"

namespace piecework::tools {

// Errors: those of the key's keeper; kInvalidArgument (config) where its address is not the policy's client.
// `http` outlives it; `stop` may be null.
Result<std::unique_ptr<engine::DealSigner>> make_signer(const engine::DealPolicy& policy, io::HttpClient& http,
                                                        const std::atomic<bool>* stop);

// One adapter for each provider, made when it is first asked for. Thread-compatible. What it is given outlives it.
class DealParties {
 public:
  // `offline_directory`: where documents of offline deals go. `stop` may be null.
  DealParties(const engine::DealPolicy& policy, ChainChoice& chain, io::HttpClient& http, engine::DealSigner& signer,
              std::string offline_directory, std::function<int64_t()> now_s, const std::atomic<bool>* stop)
      : policy_(policy),
        chain_(chain),
        http_(http),
        signer_(signer),
        offline_directory_(std::move(offline_directory)),
        now_s_(std::move(now_s)),
        stop_(stop) {}

  // The provider of an attempt, where the policy has it with the protocol and the wallet that proposed; else null: then
  // nobody here can send it or ask for it. What it says to another wallet means nothing.
  const engine::PolicyProvider* provider_of(const engine::OpenAttempt& open) const;
  // Errors: kInvalidArgument (config) for a URL that must not be spoken to; kUnsupported (config) where the policy no
  // longer has the provider, or nobody says where it is; kUnavailable (source) where the chain does not answer that.
  Result<engine::DealAdapter*> adapter_of(const std::string& provider);

 private:
  Result<std::unique_ptr<engine::DealAdapter>> make(const engine::PolicyProvider& provider);

  Result<std::string> url_of(const engine::PolicyProvider& provider);

  const engine::DealPolicy& policy_;
  ChainChoice& chain_;
  io::HttpClient& http_;
  engine::DealSigner& signer_;
  std::string offline_directory_;
  std::function<int64_t()> now_s_;
  const std::atomic<bool>* stop_;
  std::map<std::string, std::unique_ptr<engine::DealAdapter>> adapters_;
};

}  // namespace piecework::tools
