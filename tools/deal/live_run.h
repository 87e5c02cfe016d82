// Everything that a command needs which speaks to providers and to the chain, in the order in which it has to be made.
#pragma once

#include <memory>
#include <string>

#include "tools/deal/chain_choice.h"
#include "tools/deal/deal_parties.h"
#include "tools/deal/deal_proposer.h"
#include "tools/deal/deal_session.h"
#include "tools/deal/deal_tracker.h"

namespace piecework::tools {

// Thread-compatible. Its members refer to each other: it stays where it was made.
class LiveRun {
 public:
  // Opens the catalogue with the lease, and chooses a node. `offline_directory`: where documents of offline deals go.
  // Errors: those of DealSession::open, make_signer and ChainChoice.
  static Result<std::unique_ptr<LiveRun>> start(const DealFlags& flags, const std::string& offline_directory);
  LiveRun(const LiveRun&) = delete;
  LiveRun& operator=(const LiveRun&) = delete;

  DealSession& session() { return *session_; }
  ChainChoice& chain() { return *chain_; }
  DealParties& parties() { return *parties_; }
  DealTracker& tracker() { return *tracker_; }

 private:
  LiveRun() = default;

  std::unique_ptr<DealSession> session_;
  std::unique_ptr<io::HttpClient> http_;
  std::unique_ptr<engine::DealSigner> signer_;
  std::unique_ptr<ChainChoice> chain_;
  std::unique_ptr<DealParties> parties_;
  std::unique_ptr<DealTracker> tracker_;
};

}  // namespace piecework::tools
