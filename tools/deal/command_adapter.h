// Deals through another program, for providers that only it can speak to.
//
// The program is started from a template of arguments, never through a shell. It reads the deal's document
// (engine/deal/deal_file.h) from standard input, and in the arguments these are replaced:
//
//   {action}   "submit" or "status"     {key}       the deal's UUID
//   {request}  /dev/stdin               {provider}  f0...
//
// It answers with one JSON object on standard output: {"accepted": true or false, "message": "..."} to submit, and
// {"has_deal": true or false, "stage": "...", "message": "...", "deal_id": N, "publish_cid": "..."} to status, of which
// only the first is needed. Anything else, and any exit code but 0, means unknown. A template without {action} can only
// submit.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_signer.h"
#include "io/child_process.h"

namespace piecework::tools {

// Thread-compatible. `signer` outlives it.
class CommandAdapter final : public engine::DealAdapter {
 public:
  // Errors: kInvalidArgument (config) for an empty template or one with an unknown {name}. `stop` may be null.
  static Result<CommandAdapter> make(std::vector<std::string> command_template, engine::DealSigner& signer,
                                     const std::atomic<bool>* stop = nullptr);

  std::string_view protocol() const override { return "command"; }
  Result<engine::PreparedDeal> prepare(const engine::DealRequest& request) override;
  engine::SubmitOutcome submit(const engine::PreparedDeal& deal, bool is_repeat) override;
  engine::StatusClaim status(const engine::PreparedDeal& deal) override;
  Result<engine::DataOutcome> send_data(const engine::PreparedDeal& deal, const engine::PieceBytes& piece) override;

 private:
  CommandAdapter(std::vector<std::string> command_template, engine::DealSigner& signer, const std::atomic<bool>* stop)
      : template_(std::move(command_template)), signer_(signer), stop_(stop) {}
  Result<io::ChildOutcome> run(std::string_view action, const engine::PreparedDeal& deal);

  std::vector<std::string> template_;
  engine::DealSigner& signer_;
  const std::atomic<bool>* stop_;
};

}  // namespace piecework::tools
