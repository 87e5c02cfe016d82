// Signers whose key this program never sees: another program, or a Lotus node's wallet.
//
// Both get the bytes that engine::DealSigner made of a structure that it had checked, and what they give back is
// checked against the wallet's address before anybody uses it.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/deal/deal_signer.h"
#include "tools/deal/rpc_client.h"

namespace piecework::tools {

// Starts a program from a template of arguments, without a shell: {address} is the wallet's f1 address, {message} the
// bytes to sign in hexadecimal, also to be had from standard input. It writes the signature in hexadecimal with its
// type first, as `lotus wallet sign {address} {message}` does. Thread-compatible.
class CommandSigner final : public engine::DealSigner {
 public:
  // Errors: kInvalidArgument (config) for a template that names nothing or knows other {names}. `stop` may be null.
  static Result<CommandSigner> make(engine::Address address, char prefix, std::vector<std::string> command_template,
                                    const std::atomic<bool>* stop = nullptr);

 private:
  CommandSigner(engine::Address address, char prefix, std::vector<std::string> command_template,
                const std::atomic<bool>* stop)
      : DealSigner(std::move(address)), prefix_(prefix), template_(std::move(command_template)), stop_(stop) {}
  Result<engine::TypedSignature> sign_message(ByteSpan message) override;

  char prefix_;
  std::vector<std::string> template_;
  const std::atomic<bool>* stop_;
};

// Asks Filecoin.WalletSign, for which the node's token needs the permission "sign". Thread-compatible.
class WalletSigner final : public engine::DealSigner {
 public:
  WalletSigner(engine::Address address, char prefix, RpcClient rpc)
      : DealSigner(std::move(address)), prefix_(prefix), rpc_(std::move(rpc)) {}

 private:
  Result<engine::TypedSignature> sign_message(ByteSpan message) override;

  char prefix_;
  RpcClient rpc_;
};

}  // namespace piecework::tools
