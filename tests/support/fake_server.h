// Servers of tests/deal as programs of their own, for tests in C++: the model of a storage provider, and a node that
// answers what it is told to.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace piecework::testing {

// Starts a script that prints its URL, and ends it with its owner. Aborts where that fails. Thread-compatible.
class FakeServer {
 public:
  // `script`: in tests/deal.
  FakeServer(std::string_view script, const std::vector<std::string>& flags);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const std::string& url() const { return url_; }
  // A request under /control/, by a client that is not ours.
  nlohmann::json control(std::string_view method, std::string_view path, const std::string& body = "") const;

 private:
  pid_t child_ = -1;
  int input_fd_ = -1;
  std::string url_;
};

class FakeProvider : public FakeServer {
 public:
  explicit FakeProvider(const std::vector<std::string>& flags = {}) : FakeServer("fake_provider.py", flags) {}

  // The next `count` requests that begin with `match` go wrong; see Fault in fake_provider.py.
  void inject(std::string_view kind, std::string_view match, int count = 1) const;
  // Its clock, against this machine's.
  void set_clock(int offset_s) const;
  // Changes what `change` names of the deal `change["key"]`.
  void set_deal(const nlohmann::json& change) const;
  // What it took, and everything that came.
  nlohmann::json deals() const;
  nlohmann::json requests() const;
  // How many requests came that begin with `match`.
  size_t request_count(std::string_view match) const;
};

class ScriptedRpc : public FakeServer {
 public:
  ScriptedRpc() : FakeServer("scripted_rpc.py", {}) {}

  // What the next call of `method` is answered with: {"result": ...}, {"error": ...}, or {"status": N, "text": "..."}
  // for what is no JSON-RPC. Answers to one method are given in order, the last one for ever.
  void answer(std::string_view method, const nlohmann::json& reply) const;
  // [{"method", "params", "authorization"}] of every call.
  nlohmann::json calls() const { return control("GET", "calls"); }
};

}  // namespace piecework::testing
