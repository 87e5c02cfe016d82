// `piecework deal send-data`: uploads pieces to providers that took a deal and wait for its bytes.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/serve/piece_shelf.h"
#include "io/backend.h"
#include "kernels/base/kill_point.h"
#include "tools/deal/deal_commands.h"
#include "tools/deal/live_run.h"
#include "tools/deal/piece_bytes.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct SendFlags : DealFlags {
  std::vector<std::string> directories;
  std::vector<std::string> pieces;
  std::string scratch;
};

// What became of one upload in this run.
struct Upload {
  std::string piece_cid_v1;
  std::string provider;
  std::string client_key;
  std::string outcome;  // "sent", "there", "incomplete", "rejected", "missing", "unreadable"
  std::string reason;
  uint64_t sent_bytes = 0;
};

class Uploader {
 public:
  Uploader(const SendFlags& flags, LiveRun& run, engine::PieceShelf& shelf, io::Backend& backend)
      : flags_(flags), run_(run), shelf_(shelf), backend_(backend) {}

  // Errors end the run: those of the book, a lost lease among them. What is wrong with one piece's bytes is in the
  // outcome.
  Result<Upload> upload(const engine::OpenAttempt& open, const engine::CataloguePiece& piece) {
    Upload result{piece.cid_v1, open.intent.provider, open.attempt.prepared.client_key, "incomplete", "", 0};
    if (paused_.contains(open.intent.provider)) {
      result.reason = kProviderIsPaused;
      return result;
    }
    const Result<engine::DealAdapter*> adapter = run_.parties().adapter_of(open.intent.provider);
    if (!adapter) {
      result.reason = adapter.error().message;
      return result;
    }
    PIECEWORK_TRY(keep_lease());
    const engine::StatusClaim claim = (*adapter)->status(open.attempt.prepared);
    PIECEWORK_TRY(run_.tracker().take_claim(open, claim, open.intent.provider));
    const bool is_silent = claim.view == engine::ProviderView::kNoAnswer && claim.http_status == 0;
    if (is_silent) paused_.insert(open.intent.provider);
    if (claim.view != engine::ProviderView::kHasDeal) {
      result.outcome = claim.view == engine::ProviderView::kFailed ? "rejected" : "incomplete";
      result.reason = claim.message.empty() ? "the provider does not say that it has the deal" : claim.message;
      return result;
    }
    if (!claim.awaits_data && claim.stage != "accepted") {
      result.outcome = "there";
      result.reason = "the provider is at: " + claim.stage;
      return result;
    }
    PIECEWORK_ASSIGN(const engine::PieceCid cid, engine::parse_piece_cid(piece.cid_v2));
    const std::shared_ptr<const engine::ShelvedPiece> shelved = shelf_.find(cid);
    if (shelved == nullptr) {
      result.outcome = "missing";
      result.reason = "no --dir has the piece";
      return result;
    }
    const Result<engine::DataOutcome> sent = send(**adapter, open, *shelved);
    if (!sent && (sent.error().side != ErrorSide::kSource || sent.error().code == ErrorCode::kCancelled)) {
      return tl::unexpected<Error>(sent.error());
    }
    if (!sent) {
      result.outcome = "unreadable";
      result.reason = sent.error().message;
      return result;
    }
    PIECEWORK_TRY(note(open, *sent, result));
    return result;
  }

 private:
  Status keep_lease() { return run_.session().book().keep_lease(deal_now_s()); }

  Result<engine::DataOutcome> send(engine::DealAdapter& adapter, const engine::OpenAttempt& open,
                                   const engine::ShelvedPiece& shelved) {
    // Whoever took over the lease may be uploading the same piece: nothing more is sent without it.
    const auto keep = [this] { return keep_lease(); };
    PIECEWORK_ASSIGN(engine::PieceBytes bytes,
                     open_piece_bytes(shelved, backend_, flags_.scratch, &stop_requested(), keep));
    PIECEWORK_TRY(keep_lease());
    bytes.on_progress = [this](uint64_t) { return keep_lease(); };
    kill_point("deal.before_data");
    PIECEWORK_ASSIGN(engine::DataOutcome sent, adapter.send_data(open.attempt.prepared, bytes));
    kill_point("deal.after_data");
    return sent;
  }

  Status note(const engine::OpenAttempt& open, const engine::DataOutcome& sent, Upload& result) {
    if (sent.is_silent || sent.is_busy) paused_.insert(open.intent.provider);
    result.sent_bytes = sent.sent_bytes;
    result.reason = sent.reason;
    if (sent.retry_after_s > 0) result.reason += fmt::format(" (it asks for patience of {} s)", sent.retry_after_s);
    if (sent.verdict != engine::DataVerdict::kDone) {
      result.outcome = sent.verdict == engine::DataVerdict::kRejected ? "rejected" : "incomplete";
      return {};
    }
    result.outcome = "sent";
    const engine::Observation seen{.at_s = deal_now_s(),
                                   .verdict = engine::Verdict::kDataSent,
                                   .endpoint = open.intent.provider,
                                   .detail = fmt::format("{} bytes in the last run", sent.sent_bytes)};
    PIECEWORK_TRY(run_.session().book().observe(engine::Subject::attempt(open.attempt.id), seen));
    return {};
  }

  const SendFlags& flags_;
  LiveRun& run_;
  engine::PieceShelf& shelf_;
  io::Backend& backend_;
  std::set<std::string> paused_;  // providers that were silent or busy in this run
};

// Whether an attempt is one whose piece this policy's client has to upload, and nobody has seen on chain.
bool awaits_upload(const engine::OpenAttempt& open, const DealParties& parties) {
  const bool is_early = open.deal_state == engine::DealState::kAccepted ||
                        open.deal_state == engine::DealState::kDataSent;
  return is_early && open.attempt.state == engine::AttemptState::kAccepted &&
         open.attempt.terms.transfer == name_of(engine::DataTransfer::kPush) && parties.provider_of(open) != nullptr;
}

Status print_uploads(const std::vector<Upload>& uploads, bool json) {
  std::string text;
  Json list = Json::array();
  for (const Upload& upload : uploads) {
    text += fmt::format("{} {}: {}, {} bytes sent{}{}\n", upload.piece_cid_v1, upload.provider, upload.outcome,
                        upload.sent_bytes, upload.reason.empty() ? "" : ": ", printable(upload.reason));
    list.push_back({{"piece_cid_v1", upload.piece_cid_v1},
                    {"provider", upload.provider},
                    {"client_key", upload.client_key},
                    {"outcome", upload.outcome},
                    {"sent_bytes", upload.sent_bytes},
                    {"reason", printable(upload.reason)}});
  }
  return json ? print_json({{"uploads", list}}) : print_text(text + fmt::format("{} uploads\n", uploads.size()));
}

int exit_code_of(const std::vector<Upload>& uploads) {
  const auto has = [&uploads](std::string_view outcome) {
    return std::any_of(uploads.begin(), uploads.end(), [=](const Upload& each) { return each.outcome == outcome; });
  };
  if (has("unreadable")) return kExitCorrupt;
  if (has("rejected")) return kExitMismatch;
  if (has("missing")) return kExitMissing;
  return has("incomplete") ? kExitUnavailable : kExitDone;
}

// The pieces that --piece names, by the catalogue's numbers; none: all.
Result<std::set<uint64_t>> wanted_pieces(const SendFlags& flags, LiveRun& run) {
  std::set<uint64_t> wanted;
  for (const std::string& name : flags.pieces) {
    PIECEWORK_ASSIGN(const std::optional<engine::CataloguePiece> piece, run.session().reader().find_piece(name));
    if (!piece) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                  fmt::format("the catalogue has no piece {}", printable(name)));
    }
    wanted.insert(piece->id);
  }
  return wanted;
}

Status upload_all(const SendFlags& flags, LiveRun& run, Uploader& uploader, std::vector<Upload>& uploads) {
  PIECEWORK_ASSIGN(const std::set<uint64_t> wanted, wanted_pieces(flags, run));
  PIECEWORK_ASSIGN(const std::vector<engine::OpenAttempt> open,
                   run.session().book().open_attempts(run.session().network()));
  for (const engine::OpenAttempt& attempt : open) {
    if (!awaits_upload(attempt, run.parties())) continue;
    PIECEWORK_ASSIGN(const bool is_ours, run.session().is_of_campaign(attempt.intent));
    if (!is_ours) continue;
    if (!wanted.empty() && !wanted.contains(attempt.intent.piece_id)) continue;
    PIECEWORK_ASSIGN(const engine::CataloguePiece piece, run.session().reader().piece(attempt.intent.piece_id));
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped: run again, it goes on");
    PIECEWORK_ASSIGN(Upload upload, uploader.upload(attempt, piece));
    uploads.push_back(std::move(upload));
  }
  return {};
}

Result<int> run_send_data(const SendFlags& flags) {
  PIECEWORK_ASSIGN(const NamedPolicy named, read_policy_file(flags.policy_path));
  PIECEWORK_TRY(check_network(flags, named.policy));
  PIECEWORK_ASSIGN(const std::unique_ptr<engine::PieceShelf> shelf, engine::PieceShelf::open(flags.directories));
  PIECEWORK_ASSIGN(const std::unique_ptr<io::Backend> backend, io::make_backend({}));
  PIECEWORK_ASSIGN(const std::unique_ptr<LiveRun> run, LiveRun::start(flags, "."));
  Uploader uploader(flags, *run, *shelf, *backend);
  std::vector<Upload> uploads;
  const Status ended = upload_all(flags, *run, uploader, uploads);
  PIECEWORK_TRY(print_uploads(uploads, flags.json));
  PIECEWORK_TRY(ended);
  return exit_code_of(uploads);
}

}  // namespace

void add_deal_send_data_command(CLI::App& deal, Invocation& invocation) {
  const auto flags = std::make_shared<SendFlags>();
  CLI::App* command = add_command(deal, {.name = "send-data",
                                         .summary = "Upload pieces to providers that wait for them; goes on where it "
                                                    "stopped",
                                         .example = "piecework deal send-data --policy sites.toml --catalogue "
                                                    "site.catalogue --network calibnet --dir pieces"});
  add_deal_flags(*command, *flags);
  command->add_option("--network", flags->network, "The network, as the policy names it")->required();
  command->add_option("--dir", flags->directories, "Output directory of pack; any number of them")
      ->type_name("DIR")
      ->required();
  command->add_option("--piece", flags->pieces, "Only this piece; several times for several");
  command->add_option("--scratch", flags->scratch, "Directory for layouts of pieces that left files out")
      ->default_val("/tmp");
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_send_data(*flags); }; });
}

}  // namespace piecework::tools
