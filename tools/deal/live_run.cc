#include "tools/deal/live_run.h"

#include "tools/process.h"

namespace piecework::tools {

Result<std::unique_ptr<LiveRun>> LiveRun::start(const DealFlags& flags, const std::string& offline_directory) {
  std::unique_ptr<LiveRun> run(new LiveRun());
  PIECEWORK_ASSIGN(run->session_, DealSession::open(flags));
  const engine::DealPolicy& policy = run->session_->policy();
  PIECEWORK_ASSIGN(io::HttpClient http, io::HttpClient::create({.stop = &stop_requested()}));
  run->http_ = std::make_unique<io::HttpClient>(std::move(http));
  PIECEWORK_ASSIGN(run->signer_, make_signer(policy, *run->http_, &stop_requested()));
  PIECEWORK_ASSIGN(ChainChoice chain, ChainChoice::make(policy, *run->http_, deal_now_s));
  run->chain_ = std::make_unique<ChainChoice>(std::move(chain));
  PIECEWORK_TRY(run->chain_->choose());
  run->parties_ = std::make_unique<DealParties>(policy, *run->chain_, *run->http_, *run->signer_, offline_directory,
                                                deal_now_s, &stop_requested());
  run->tracker_ = std::make_unique<DealTracker>(*run->session_, *run->chain_);
  return run;
}

}  // namespace piecework::tools
