#include "tests/support/fake_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "tests/support/run_command.h"

namespace piecework::testing {
namespace {

void require(bool condition, std::string_view what) {
  if (condition) return;
  std::cerr << "fake_server: " << what << '\n';
  std::abort();
}

nlohmann::json control_with_tls(std::string_view method, const std::string& url, const std::string& body) {
  const std::string program =
      "import ssl, sys, urllib.request as u\n"
      "request = u.Request(sys.argv[2], data=sys.argv[3].encode() if sys.argv[1] == 'POST' else None)\n"
      "print(u.urlopen(request, context=ssl._create_unverified_context()).read().decode())\n";
  const CommandResult result = run_command({"python3", "-c", program, std::string(method), url, body});
  require(result.exit_code == 0, result.standard_error);
  return nlohmann::json::parse(result.standard_output);
}

}  // namespace

FakeServer::FakeServer(std::string_view script, const std::vector<std::string>& flags) {
  int input[2];
  int output[2];
  require(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0, "pipe2");
  std::vector<std::string> arguments{"python3",
                                     std::string(PIECEWORK_SOURCE_DIR) + "/tests/deal/" + std::string(script)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  child_ = fork();
  require(child_ >= 0, "fork");
  if (child_ == 0) {
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  close(input[0]);
  close(output[1]);
  input_fd_ = input[1];
  char letter = 0;
  while (read(output[0], &letter, 1) == 1 && letter != '\n') url_.push_back(letter);
  close(output[0]);
  require(url_.starts_with("http"), "it did not say its URL");
}

FakeServer::~FakeServer() {
  close(input_fd_);
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

nlohmann::json FakeServer::control(std::string_view method, std::string_view path, const std::string& body) const {
  // With a client that is not ours: what is tested must not be needed to test it.
  if (url_.starts_with("https")) return control_with_tls(method, url_ + "/control/" + std::string(path), body);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1))));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
  const std::string request =
      std::string(method) + " /control/" + std::string(path) +
      " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  require(write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()), "write");
  std::string reply;
  char buffer[65536];
  for (ssize_t count = 0; (count = read(fd, buffer, sizeof buffer)) > 0;) {
    reply.append(buffer, static_cast<size_t>(count));
  }
  close(fd);
  const size_t body_at = reply.find("\r\n\r\n");
  require(reply.starts_with("HTTP/1.1 200") && body_at != std::string::npos, reply);
  return nlohmann::json::parse(reply.substr(body_at + 4));
}

void FakeProvider::inject(std::string_view kind, std::string_view match, int count) const {
  control("POST", "fault", nlohmann::json{{"kind", kind}, {"match", match}, {"count", count}}.dump());
}

void FakeProvider::set_clock(int offset_s) const {
  control("POST", "clock", nlohmann::json{{"offset_s", offset_s}}.dump());
}

void FakeProvider::set_deal(const nlohmann::json& change) const { control("POST", "deal", change.dump()); }

nlohmann::json FakeProvider::deals() const { return control("GET", "deals"); }

nlohmann::json FakeProvider::requests() const { return control("GET", "requests"); }

size_t FakeProvider::request_count(std::string_view match) const {
  size_t count = 0;
  for (const nlohmann::json& request : requests()) {
    const std::string line = request[0].get<std::string>() + " " + request[1].get<std::string>();
    if (line.starts_with(match)) ++count;
  }
  return count;
}

void ScriptedRpc::answer(std::string_view method, const nlohmann::json& reply) const {
  control("POST", "answer", nlohmann::json{{"method", method}, {"reply", reply}}.dump());
}

}  // namespace piecework::testing
