#include "tools/deal/piece_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>

#include "engine/codec/piece_cid.h"
#include "engine/piece/commp.h"
#include "engine/serve/virtual_piece.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

constexpr std::chrono::milliseconds kStopPoll{200};
constexpr unsigned kPollsPerKeep = 150;  // half a minute

// Ranges of a virtual piece. An upload asks for one after the other, so its cursor mostly stands where the next begins.
class VirtualReader {
 public:
  explicit VirtualReader(std::unique_ptr<engine::VirtualPiece> piece) : piece_(std::move(piece)) {}

  Status read(MutableByteSpan target, uint64_t offset_bytes) {
    if (cursor_ == nullptr || offset_bytes != next_bytes_) {
      PIECEWORK_ASSIGN(cursor_, piece_->read_from(offset_bytes));
      rest_ = {};
      next_bytes_ = offset_bytes;
    }
    while (!target.empty()) {
      if (rest_.empty()) {
        PIECEWORK_ASSIGN(rest_, cursor_->next());
        if (rest_.empty()) return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "the piece ends before its length");
      }
      const size_t count = std::min(rest_.size(), target.size());
      std::copy_n(rest_.begin(), count, target.begin());
      rest_ = rest_.subspan(count);
      target = target.subspan(count);
      next_bytes_ += count;
    }
    return {};
  }

 private:
  std::unique_ptr<engine::VirtualPiece> piece_;  // outlives the cursor
  std::unique_ptr<engine::PieceCursor> cursor_;
  ByteSpan rest_;  // of the cursor's last bytes
  uint64_t next_bytes_ = 0;
};

// commP of `car`, by a thread of its own, so that this one can keep what must not run out meanwhile.
Result<engine::Commp> commp_while_kept(const io::File& car, const std::atomic<bool>* stop,
                                       const std::function<Status()>& keep) {
  std::atomic<bool> is_over{false};
  const engine::CommpOptions options{.thread_count = usable_thread_count(), .stop = &is_over};
  std::future<Result<engine::Commp>> work;
  try {
    work = std::async(std::launch::async,
                      [&car, &options] { return engine::commp_of_descriptor(car.fd(), car.path(), options); });
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal, std::string("commP: ") + thrown.what());
  }
  Status kept;
  for (unsigned polls = 1; work.wait_for(kStopPoll) != std::future_status::ready; ++polls) {
    if (kept && polls % kPollsPerKeep == 0) kept = keep();
    if (!kept || (stop != nullptr && stop->load())) is_over = true;
  }
  Result<engine::Commp> found = work.get();
  if (!kept) return tl::unexpected<Error>(kept.error());
  return found;
}

Status check_car(const io::File& car, const engine::Receipt& receipt, const std::atomic<bool>* stop,
                 const std::function<Status()>& keep) {
  PIECEWORK_ASSIGN(const engine::Commp found, commp_while_kept(car, stop, keep));
  PIECEWORK_ASSIGN(const engine::PieceCid expected, engine::parse_piece_cid(receipt.piece_cid_v2));
  if (found.root == expected.root) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("'{}' is not the piece's: its bytes give {}, expected {}; nothing was sent",
                          printable(car.path()), engine::piece_cid_v1_text(found.root), receipt.piece_cid_v1));
}

}  // namespace

Result<engine::PieceBytes> open_piece_bytes(const engine::ShelvedPiece& piece, io::Backend& backend,
                                            const std::string& scratch_path, const std::atomic<bool>* stop,
                                            const std::function<Status()>& keep) {
  engine::PieceBytes bytes{.payload_bytes = piece.receipt.payload_bytes, .read = {}, .on_progress = {}};
  if (std::optional<io::File> car = engine::open_stored_car(piece)) {
    PIECEWORK_TRY(check_car(*car, piece.receipt, stop, keep));
    bytes.read = [file = std::make_shared<io::File>(std::move(*car))](MutableByteSpan target,
                                                                      uint64_t offset_bytes) -> Status {
      PIECEWORK_ASSIGN(const size_t count, file->read_full(target, offset_bytes));
      if (count == target.size()) return {};
      return fail(ErrorCode::kChanged, ErrorSide::kSource,
                  fmt::format("'{}' became shorter while it was sent", printable(file->path())));
    };
    return bytes;
  }
  PIECEWORK_ASSIGN(std::unique_ptr<engine::VirtualPiece> source,
                   engine::VirtualPiece::open(piece.directory, piece.receipt, backend, scratch_path));
  bytes.read = [reader = std::make_shared<VirtualReader>(std::move(source))](
                   MutableByteSpan target, uint64_t offset_bytes) { return reader->read(target, offset_bytes); };
  return bytes;
}

}  // namespace piecework::tools
