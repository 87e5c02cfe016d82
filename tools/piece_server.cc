#include "tools/piece_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/serve/piece_body.h"
#include "kernels/base/text.h"

namespace piecework::tools {
namespace {

constexpr size_t kOpenVirtualPiecesMax = 16;
constexpr std::string_view kPiecePath = "/piece/";

io::HttpResponse text_response(unsigned status, std::string text) {
  io::HttpResponse response;
  response.status = status;
  response.fields = {{"Content-Type", "text/plain; charset=utf-8"}};
  response.body = std::move(text);
  return response;
}

// Whether a list of entity tags (If-None-Match) has `tag`. RFC 9110, section 13.1.2: compared weakly.
bool lists_tag(std::string_view list, std::string_view tag) {
  if (list == "*") return true;
  for (size_t at = list.find(tag); at != std::string_view::npos; at = list.find(tag, at + 1)) {
    const std::string_view rest = list.substr(at + tag.size());
    if (rest.empty() || rest.front() == ',' || rest.front() == ' ') return true;
  }
  return false;
}

}  // namespace

io::HttpResponse PieceServer::answer(const io::HttpRequest& request) {
  io::HttpResponse response = route(request);
  if (response.status == 401) ++refused_count_;
  if (response.status >= 500) ++failed_count_;
  if (request.method == "GET" && response.status < 300) announced_bytes_ += response.body_bytes;
  return response;
}

io::HttpResponse PieceServer::route(const io::HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    io::HttpResponse response = text_response(405, "only GET and HEAD\n");
    response.fields.emplace_back("Allow", "GET, HEAD");
    return response;
  }
  if (request.path == "/health") return text_response(200, "ok\n");
  if (request.path == "/metrics") {
    io::HttpResponse response = text_response(200, metrics());
    response.fields = {{"Content-Type", "text/plain; version=0.0.4"}};
    return response;
  }
  const std::string_view path = request.path;
  if (path.substr(0, kPiecePath.size()) != kPiecePath) return text_response(404, "nothing here\n");
  if (tokens_ && !tokens_->name_of(request.field("Authorization"))) {
    io::HttpResponse response = text_response(401, "a token is needed: Authorization: Bearer TOKEN\n");
    response.fields.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  return answer_piece(request, path.substr(kPiecePath.size()));
}

io::HttpResponse PieceServer::answer_piece(const io::HttpRequest& request, std::string_view cid_text) {
  using Kind = engine::ByteRangeRequest::Kind;
  const Result<engine::PieceCid> cid = engine::parse_piece_cid(cid_text);
  const auto piece = cid ? shelf_.find(*cid) : nullptr;
  if (piece == nullptr) return text_response(404, "no such piece\n");

  const uint64_t payload_bytes = piece->receipt.payload_bytes;
  const std::string tag = fmt::format("\"{}\"", piece->receipt.piece_cid_v2);
  io::HttpResponse response;
  response.fields = {
      {"ETag", tag}, {"Accept-Ranges", "bytes"}, {"Cache-Control", "public, max-age=31536000, immutable"}};
  if (lists_tag(request.field("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  const std::string_view if_range = request.field("If-Range");
  const std::string_view wanted = if_range.empty() || if_range == tag ? request.field("Range") : std::string_view();
  const engine::ByteRangeRequest range = engine::parse_range_field(wanted, payload_bytes);
  if (range.kind == Kind::kUnsatisfiable) {
    response.status = 416;
    response.fields.emplace_back("Content-Range", fmt::format("bytes */{}", payload_bytes));
    return response;
  }
  response.fields.emplace_back("Content-Type", "application/vnd.ipld.car; version=1");
  response.body_bytes = range.end_bytes - range.begin_bytes;
  if (range.kind == Kind::kPart) {
    response.status = 206;
    response.fields.emplace_back("Content-Range",
                                 fmt::format("bytes {}-{}/{}", range.begin_bytes, range.end_bytes - 1, payload_bytes));
  }
  if (const Result<void> opened = open_body(*piece, range.begin_bytes, response); !opened) {
    options_.on_problem(fmt::format("piece {}: {}", piece->receipt.piece_cid_v1, opened.error().message));
    return text_response(503, "the piece cannot be given out now\n");
  }
  return response;
}

// From the CAR where it is stored; else made from the sources, and begun only when the first bytes are there.
Result<void> PieceServer::open_body(const engine::ShelvedPiece& piece, uint64_t begin_bytes,
                                    io::HttpResponse& response) {
  const bool is_throttled = options_.bytes_per_second_max > 0;
  std::unique_ptr<io::HttpBody> body;
  if (std::optional<io::File> car = engine::open_stored_car(piece)) {
    if (!is_throttled) {
      response.body = io::HttpFileBody{std::move(*car), begin_bytes};
      return {};
    }
    body = engine::file_body(std::move(*car), begin_bytes);
  } else {
    PIECEWORK_ASSIGN(const std::shared_ptr<engine::VirtualPiece> source, virtual_piece(piece));
    PIECEWORK_ASSIGN(std::unique_ptr<engine::PieceCursor> cursor, source->read_from(begin_bytes));
    PIECEWORK_ASSIGN(const ByteSpan first, cursor->next());
    body = engine::virtual_body(source, std::move(cursor), first);
  }
  if (is_throttled) body = engine::throttled_body(std::move(body), options_.bytes_per_second_max, *options_.stop);
  response.body = std::move(body);
  return {};
}

Result<std::shared_ptr<engine::VirtualPiece>> PieceServer::virtual_piece(const engine::ShelvedPiece& piece) {
  const std::string& key = piece.receipt.piece_cid_v2;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(virtual_pieces_.begin(), virtual_pieces_.end(),
                                  [&key](const auto& entry) { return entry.first == key; });
  if (found != virtual_pieces_.end()) {
    virtual_pieces_.splice(virtual_pieces_.begin(), virtual_pieces_, found);
    return virtual_pieces_.front().second;
  }
  PIECEWORK_ASSIGN(std::shared_ptr<engine::VirtualPiece> opened,
                   engine::VirtualPiece::open(piece.directory, piece.receipt, backend_, options_.scratch_path));
  virtual_pieces_.emplace_front(key, opened);
  if (virtual_pieces_.size() > kOpenVirtualPiecesMax) virtual_pieces_.pop_back();
  return opened;
}

std::string PieceServer::metrics() const {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
    text += fmt::format("# HELP piecework_serve_{0} {1}\n# TYPE piecework_serve_{0} {2}\npiecework_serve_{0} {3}\n",
                        name, help, type, value);
  };
  const io::HttpCounters counters = counters_ ? counters_() : io::HttpCounters{};
  add("pieces", "gauge", "Pieces that can be asked for.", shelf_.piece_count());
  add("responses_completed_total", "counter", "Responses sent to their end.", counters.completed_count);
  add("responses_cut_total", "counter", "Responses that the client or an error ended before.", counters.cut_count);
  add("announced_bytes_total", "counter", "Bytes of pieces that GET responses announced.", announced_bytes_.load());
  add("refused_total", "counter", "Requests without a token that is known.", refused_count_.load());
  add("failed_total", "counter", "Requests for pieces that could not be given out.", failed_count_.load());
  return text;
}

}  // namespace piecework::tools
