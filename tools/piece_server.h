// Answers requests for pieces: /piece/<piece CID v1 or v2>, /health, /metrics. Source: design.md 6; RFC 9110.
//
// A provider that gets fewer bytes than were announced loses the deal: so an answer is begun only when its first bytes
// are there and checked, its length is always the piece's or the range's, and HEAD is answered as GET would be.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/serve/byte_range.h"
#include "engine/serve/piece_shelf.h"
#include "engine/serve/virtual_piece.h"
#include "io/backend.h"
#include "io/http_server.h"
#include "tools/access_tokens.h"

namespace piecework::tools {

struct PieceServerOptions {
  uint64_t bytes_per_second_max = 0;  // of one connection; 0: no limit
  std::string scratch_path;           // see VirtualPiece::open
  const std::atomic<bool>* stop = nullptr;
  // Told what a client is not: why a piece cannot be given out. Called on any thread.
  std::function<void(const std::string& problem)> on_problem;
};

// Safe for concurrent use.
class PieceServer {
 public:
  // References outlive the server. Without tokens everybody may fetch.
  PieceServer(engine::PieceShelf& shelf, std::optional<AccessTokens> tokens, io::Backend& backend,
              PieceServerOptions options)
      : shelf_(shelf), tokens_(std::move(tokens)), backend_(backend), options_(std::move(options)) {}

  io::HttpResponse answer(const io::HttpRequest& request);
  // Prometheus text; `connections` are the HTTP server's counters.
  std::string metrics() const;
  // What /metrics adds to its own figures; set before the first request.
  void set_counters(std::function<io::HttpCounters()> counters) { counters_ = std::move(counters); }

 private:
  io::HttpResponse route(const io::HttpRequest& request);
  io::HttpResponse answer_piece(const io::HttpRequest& request, std::string_view cid_text);
  Result<void> open_body(const engine::ShelvedPiece& piece, uint64_t begin_bytes, io::HttpResponse& response);
  Result<std::shared_ptr<engine::VirtualPiece>> virtual_piece(const engine::ShelvedPiece& piece);

  engine::PieceShelf& shelf_;
  const std::optional<AccessTokens> tokens_;
  io::Backend& backend_;
  const PieceServerOptions options_;
  std::function<io::HttpCounters()> counters_;
  std::mutex mutex_;
  // Pieces without a CAR that were asked for, the last one first: each keeps its plan and sources open.
  std::list<std::pair<std::string, std::shared_ptr<engine::VirtualPiece>>> virtual_pieces_;
  std::atomic<uint64_t> announced_bytes_{0};
  std::atomic<uint64_t> refused_count_{0};
  std::atomic<uint64_t> failed_count_{0};
};

}  // namespace piecework::tools
