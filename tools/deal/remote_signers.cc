#include "tools/deal/remote_signers.h"

#include <fmt/format.h>

#include "engine/deal/bounded_json.h"
#include "engine/deal/deal_request.h"
#include "io/child_process.h"
#include "kernels/base/text.h"
#include "tools/deal/command_template.h"

namespace piecework::tools {
namespace {

constexpr int64_t kCommandTimeoutMs = 300'000;  // a person may have to press a button
constexpr size_t kAnswerBytesMax = 4096;

tl::unexpected<Error> no_signature(std::string_view who, std::string_view why) {
  return fail(ErrorCode::kUnavailable, ErrorSide::kConfig,
              fmt::format("{} gave no signature: {}; nothing was sent", who, engine::provider_text(why)));
}

}  // namespace

Result<CommandSigner> CommandSigner::make(engine::Address address, char prefix,
                                          std::vector<std::string> command_template, const std::atomic<bool>* stop) {
  PIECEWORK_TRY(check_command_template(command_template, {"address", "message"}, "the command that signs"));
  return CommandSigner(std::move(address), prefix, std::move(command_template), stop);
}

Result<engine::TypedSignature> CommandSigner::sign_message(ByteSpan message) {
  const std::string hex = to_hex(message);
  io::ChildCommand command;
  command.arguments = fill_command_template(template_, {{"address", address().text(prefix_)}, {"message", hex}});
  command.input = as_bytes(hex);
  command.output_bytes_max = kAnswerBytesMax;
  command.timeout_ms = kCommandTimeoutMs;
  command.stop = stop_;
  PIECEWORK_ASSIGN(const io::ChildOutcome child, io::run_child(command));
  if (!child.is_success()) {
    return no_signature(
        "the program that signs",
        child.failure.empty() ? fmt::format("exit code {}: {}", child.exit_code, child.error_output) : child.failure);
  }
  const std::string text = child.output.substr(0, child.output.find_last_not_of(" \t\r\n") + 1);
  engine::TypedSignature signature(text.size() / 2);
  const std::optional<size_t> written = engine::decode_secret_hex(signature, text);
  if (!written) return no_signature("the program that signs", "its output is not hexadecimal");
  signature.resize(*written);
  return signature;
}

Result<engine::TypedSignature> WalletSigner::sign_message(ByteSpan message) {
  const engine::RpcReply reply =
      rpc_.call("Filecoin.WalletSign", nlohmann::json::array({address().text(prefix_), base64(message)}));
  if (reply.verdict != engine::RpcVerdict::kResult) return no_signature(rpc_.endpoint(), reply.message);
  const std::optional<uint64_t> type = engine::json_unsigned(reply.result, "Type");
  const std::optional<std::string> data = decode_base64(engine::json_text(reply.result, "Data").value_or("?"));
  if (type != engine::kSignatureTypeSecp256k1 || !data) {
    return no_signature(rpc_.endpoint(), "its answer is no secp256k1 signature");
  }
  engine::TypedSignature signature{engine::kSignatureTypeSecp256k1};
  signature.insert(signature.end(), data->begin(), data->end());
  return signature;
}

}  // namespace piecework::tools
