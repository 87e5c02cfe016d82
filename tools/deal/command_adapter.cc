#include "tools/deal/command_adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/deal/bounded_json.h"
#include "engine/deal/deal_file.h"
#include "engine/deal/deal_request.h"
#include "kernels/sha256/sha256.h"
#include "tools/deal/command_template.h"

namespace piecework::tools {
namespace {

constexpr int64_t kTimeoutMs = 600'000;
constexpr size_t kAnswerBytesMax = size_t{64} << 10;

// What a program that gave no usable answer left behind.
std::string why_unknown(const io::ChildOutcome& child) {
  const std::string end = child.failure.empty() ? fmt::format("exit code {}", child.exit_code) : child.failure;
  return engine::provider_text(fmt::format("the program gave no answer ({}): {}", end, child.error_output));
}

}  // namespace

Result<CommandAdapter> CommandAdapter::make(std::vector<std::string> command_template, engine::DealSigner& signer,
                                            const std::atomic<bool>* stop) {
  PIECEWORK_TRY(
      check_command_template(command_template, {"action", "key", "request", "provider"}, "the command of a provider"));
  return CommandAdapter(std::move(command_template), signer, stop);
}

Result<engine::PreparedDeal> CommandAdapter::prepare(const engine::DealRequest& request) {
  if (request.transfer == engine::DataTransfer::kPush) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "no deal is made through a command: an upload is for MK20 providers alone");
  }
  PIECEWORK_ASSIGN(engine::SignedDeal deal, engine::sign_deal(request, signer_));
  const std::string document = engine::encode_deal_file(request, deal);
  deal.prepared.bytes.assign(document.begin(), document.end());
  return std::move(deal.prepared);
}

Result<io::ChildOutcome> CommandAdapter::run(std::string_view action, const engine::PreparedDeal& deal) {
  const std::optional<nlohmann::json> document = engine::parse_bounded_json(as_text(deal.bytes));
  const std::string provider = document ? engine::json_text(*document, "provider").value_or("") : "";
  io::ChildCommand command;
  command.arguments = fill_command_template(
      template_,
      {{"action", std::string(action)}, {"key", deal.client_key}, {"request", "/dev/stdin"}, {"provider", provider}});
  command.input = deal.bytes;
  command.output_bytes_max = kAnswerBytesMax;
  command.timeout_ms = kTimeoutMs;
  command.stop = stop_;
  return io::run_child(command);
}

engine::SubmitOutcome CommandAdapter::submit(const engine::PreparedDeal& deal, bool is_repeat) {
  engine::SubmitOutcome outcome;
  const Result<io::ChildOutcome> child = run("submit", deal);
  if (!child) {
    outcome.was_sent = false;
    outcome.reason = child.error().message;
    return outcome;
  }
  const std::optional<nlohmann::json> answer =
      child->is_success() ? engine::parse_bounded_json(child->output) : std::nullopt;
  const std::optional<bool> is_accepted = answer ? engine::json_boolean(*answer, "accepted") : std::nullopt;
  if (!is_accepted) {
    outcome.reason = why_unknown(*child);
    return outcome;
  }
  outcome.reason = engine::provider_text(engine::json_text(*answer, "message").value_or(""));
  if (*is_accepted) {
    outcome.verdict = engine::SubmitVerdict::kAccepted;
  } else if (is_repeat) {
    outcome.reason = "the repetition was refused: " + outcome.reason;
  } else {
    outcome.verdict = engine::SubmitVerdict::kRejected;
  }
  return outcome;
}

engine::StatusClaim CommandAdapter::status(const engine::PreparedDeal& deal) {
  engine::StatusClaim claim;
  const bool can_ask = std::ranges::any_of(
      template_, [](const std::string& argument) { return argument.find("{action}") != std::string::npos; });
  if (!can_ask) {
    claim.message = "the command has no {action}, so it cannot be asked for a status";
    return claim;
  }
  const Result<io::ChildOutcome> child = run("status", deal);
  if (!child) {
    claim.message = child.error().message;
    return claim;
  }
  claim.raw_sha256 = to_hex(kernels::sha256(as_bytes(child->output)));
  const std::optional<nlohmann::json> answer =
      child->is_success() ? engine::parse_bounded_json(child->output) : std::nullopt;
  const std::optional<bool> has_deal = answer ? engine::json_boolean(*answer, "has_deal") : std::nullopt;
  if (!has_deal) {
    claim.message = why_unknown(*child);
    return claim;
  }
  claim.view = *has_deal ? engine::ProviderView::kHasDeal : engine::ProviderView::kHasNot;
  claim.stage = engine::provider_text(engine::json_text(*answer, "stage").value_or(""));
  claim.message = engine::provider_text(engine::json_text(*answer, "message").value_or(""));
  const uint64_t deal_id = engine::json_unsigned(*answer, "deal_id").value_or(0);
  if (deal_id != 0) claim.deal_id = deal_id;
  const Result<engine::Cid> publish_cid = engine::parse_cid(engine::json_text(*answer, "publish_cid").value_or(""));
  if (publish_cid) claim.publish_cid = publish_cid->text();
  return claim;
}

Result<engine::DataOutcome> CommandAdapter::send_data(const engine::PreparedDeal&, const engine::PieceBytes&) {
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig, "a deal through a command has no upload");
}

}  // namespace piecework::tools
