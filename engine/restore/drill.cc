// See drill.h.
#include "engine/restore/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "engine/record/batch_state.h"
#include "engine/record/file_row.h"
#include "engine/record/nodes_reader.h"
#include "engine/record/receipt_walk.h"
#include "engine/record/sidecar_content.h"
#include "engine/restore/file_reader.h"
#include "engine/restore/tree_walk.h"
#include "engine/restore/verify_piece.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

// splitmix64 (Steele, Lea, Flood): the same numbers everywhere, which the standard's distributions do not promise.
class RandomNumbers {
 public:
  explicit RandomNumbers(uint64_t seed) : state_(seed) {}
  // From 0 to before `limit`; the bias is below limit / 2^64.
  uint64_t below(uint64_t limit) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t mixed = state_;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    mixed ^= mixed >> 31;
    return static_cast<uint64_t>(static_cast<unsigned __int128>(mixed) * limit >> 64);
  }

 private:
  uint64_t state_;
};

struct Piece {
  std::string directory;
  std::string piece_cid_v1;
  std::string root_cid;
  SidecarContent table;
};

struct Sample {
  size_t piece_index = 0;
  uint64_t row_number = 0;
  FileRow row;
};

// The CARs of some pieces, with the places that their sidecars know.
struct IndexedCars {
  std::unique_ptr<CarStore> store;
  std::unique_ptr<BlockReader> reader;
};

class Drill {
 public:
  explicit Drill(const DrillRequest& request) : request_(request), random_(request.seed) {}

  Result<DrillReport> run() {
    if (request_.sample_count > kDrillSampleMax) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("a sample of {} files, at most {} are drawn", request_.sample_count, kDrillSampleMax));
    }
    for (const std::string& directory : request_.directories) PIECEWORK_TRY(find_pieces(directory));
    for (size_t i = 0; i < pieces_.size(); ++i) PIECEWORK_TRY(draw(i));
    if (report_.row_count == 0 && report_.ok()) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource, "the directories hold no receipts with files");
    }
    const auto by_place = [](const Sample& a, const Sample& b) {
      return std::pair(a.piece_index, a.row_number) < std::pair(b.piece_index, b.row_number);
    };
    std::sort(samples_.begin(), samples_.end(), by_place);
    if (request_.planned_bytes != nullptr) {
      for (const Sample& sample : samples_) *request_.planned_bytes += sample.row.size_bytes;
    }
    for (const Sample& sample : samples_) PIECEWORK_TRY(check(sample));
    return std::move(report_);
  }

 private:
  Status find_pieces(const std::string& directory) {
    std::map<std::string, Piece> found;  // each once, by name
    PIECEWORK_TRY(visit_receipts(directory, [&](const FoundReceipt& receipt) -> Status {
      if (!receipt.receipt) return absorb(receipt.receipt.error(), finding::kReceipt, receipt.path, faults_);
      const Receipt& facts = *receipt.receipt;
      found.try_emplace(facts.piece_cid_v1, Piece{directory, facts.piece_cid_v1, facts.root_cid, facts.files});
      return {};
    }));
    report_.faults.append(faults_.problems);
    faults_ = {};
    for (auto& [name, piece] : found) pieces_.push_back(std::move(piece));
    return {};
  }

  Status check_stop() const {
    if (request_.stop == nullptr || !request_.stop->load(std::memory_order_relaxed)) return {};
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped");
  }

  // Every row of all tables is as likely as any other to be in the sample (reservoir sampling).
  Status draw(size_t piece_index) {
    const Piece& piece = pieces_[piece_index];
    const std::string path = fmt::format("{}/{}", piece.directory, files_name(piece.piece_cid_v1));
    Result<io::File> file = io::open_named(path, ErrorSide::kSource);
    if (!file) return absorb_fault(std::move(file.error()), path);
    uint64_t row_number = 0;
    const auto take_row = [&](std::string_view, const std::optional<FileRow>& row) -> Status {
      if (!row) return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "a line that is no row of a file table");
      const Sample sample{piece_index, row_number++, *row};
      const uint64_t rank = report_.row_count++;
      if (rank < request_.sample_count) {
        samples_.push_back(sample);
        return {};
      }
      const uint64_t place = random_.below(rank + 1);
      if (place < request_.sample_count) samples_[static_cast<size_t>(place)] = sample;
      return {};
    };
    const auto take_frame = [&](ByteSpan lines) -> Status {
      PIECEWORK_TRY(check_stop());
      return visit_file_rows(lines, take_row);
    };
    const Result<SidecarContent> content = read_sidecar_content(*file, /*has_index=*/false, take_frame);
    if (!content) return absorb_fault(content.error(), path);
    if (content->sha256 == piece.table.sha256) return {};
    add_fault(finding::kSidecar, path, to_hex(piece.table.sha256), to_hex(content->sha256));
    return {};
  }

  Status absorb_fault(Error error, const std::string& path) {
    PIECEWORK_TRY(absorb(std::move(error), finding::kSidecar, path, faults_));
    report_.faults.append(faults_.problems);
    faults_ = {};
    return {};
  }

  void add_fault(const char* kind, const std::string& piece, std::string expected, std::string actual) {
    report_.faults.add({.kind = kind, .piece = piece, .expected = std::move(expected), .actual = std::move(actual)});
  }

  // ---- Checking ----

  Result<IndexedCars> open(const std::vector<const Piece*>& pieces) const {
    std::vector<CarInput> inputs;
    for (const Piece* piece : pieces) {
      const std::string nodes_path = fmt::format("{}/{}", piece->directory, nodes_name(piece->piece_cid_v1));
      CarInput input{.path = fmt::format("{}/{}", piece->directory, car_name(piece->piece_cid_v1)), .spool = {}};
      input.list_places = [nodes_path](uint32_t file_index, const BlockVisitor& visit) -> Status {
        PIECEWORK_ASSIGN(const io::File nodes, io::open_named(nodes_path, ErrorSide::kSource));
        PIECEWORK_ASSIGN(NodesReader reader, NodesReader::open(nodes));
        return reader.visit_all([&](const NodesEntry& entry) {
          return visit(entry.cid, {file_index, entry.block_offset_bytes(), entry.block_bytes});
        });
      };
      inputs.push_back(std::move(input));
    }
    CarStoreOptions options;
    options.scratch_directory = request_.scratch_directory;
    options.stop = request_.stop;
    IndexedCars cars;
    PIECEWORK_ASSIGN(cars.store, CarStore::open(std::move(inputs), options));
    cars.reader = std::make_unique<BlockReader>(*cars.store);
    return cars;
  }

  // The piece's own CAR; opened for the first of its files.
  Result<BlockReader*> reader_of(size_t piece_index) {
    if (open_piece_ != piece_index) {
      PIECEWORK_ASSIGN(one_, open({&pieces_[piece_index]}));
      open_piece_ = piece_index;
    }
    return one_.reader.get();
  }

  // All CARs: for items whose parts stand in other pieces.
  Result<BlockReader*> reader_of_all() {
    if (!all_.store) {
      std::vector<const Piece*> pieces;
      for (const Piece& piece : pieces_) {
        if (is_there(piece)) pieces.push_back(&piece);
      }
      PIECEWORK_ASSIGN(all_, open(pieces));
    }
    return all_.reader.get();
  }

  static bool is_there(const Piece& piece) {
    const auto opens = [&piece](const std::string& name) {
      return io::open_named(fmt::format("{}/{}", piece.directory, name), ErrorSide::kSource).has_value();
    };
    return opens(car_name(piece.piece_cid_v1)) && opens(nodes_name(piece.piece_cid_v1));
  }

  Status check(const Sample& sample) {
    PIECEWORK_TRY(check_stop());
    reader_ = nullptr;
    const Piece& piece = pieces_[sample.piece_index];
    const std::optional<std::string> path = file_row_path(sample.row);
    report_.files.push_back(
        {piece.piece_cid_v1, path.value_or(sample.row.key), sample.row.cid.text(), sample.row.size_bytes, false});
    const Result<Cid> root = parse_cid(piece.root_cid);
    if (!path || !root) {
      add_fault(finding::kReceipt, piece.piece_cid_v1, "a path and a root CID", "text that is none");
      return {};
    }
    failed_cid_ = *root;
    failed_place_.reset();
    Status status = read_with([&] { return reader_of(sample.piece_index); }, *root, *path, sample.row);
    if (!status && reader_ != nullptr && status.error().code == ErrorCode::kNotFound &&
        pieces_.size() > 1) {
      status = read_with([this] { return reader_of_all(); }, *root, *path, sample.row);
    }
    if (request_.done_bytes != nullptr) *request_.done_bytes += sample.row.size_bytes;
    if (status) {
      report_.files.back().is_ok = true;
      report_.content_bytes += sample.row.size_bytes;
      return {};
    }
    if (!is_block_fault(status.error())) return status;
    note(status.error(), piece, *path);
    return {};
  }

  template <class GetReader>
  Status read_with(GetReader get_reader, const Cid& root, const std::string& path, const FileRow& row) {
    PIECEWORK_ASSIGN(BlockReader* reader, get_reader());
    reader_ = reader;
    return read(*reader, root, path, row);
  }

  void note(const Error& error, const Piece& piece, const std::string& path) {
    VerifyFinding found{.kind = error.code == ErrorCode::kNotFound  ? finding::kMissingFile
                                : error.code == ErrorCode::kCorrupt ? finding::kSidecar
                                                                    : finding::kUnreadable,
                        .path = path};
    if (reader_ != nullptr) found = reader_->finding(error, failed_cid_.view(), failed_place_, path);
    if (found.actual.empty()) found.actual = error.message;
    if (found.piece.empty()) found.piece = fmt::format("{}/{}", piece.directory, car_name(piece.piece_cid_v1));
    report_.faults.add(std::move(found));
  }

  // The file at `path`, all of it.
  Status read(BlockReader& reader, const Cid& root, const std::string& path, const FileRow& row) {
    PIECEWORK_ASSIGN(const std::optional<FoundEntry> found, find_path(reader, root, path));
    failed_cid_ = row.cid;
    if (!found || found->cid != row.cid) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                  fmt::format("the piece's root leads to {} at this path, the file table says {}",
                              found ? found->cid.text() : "nothing", row.cid.text()));
    }
    PIECEWORK_ASSIGN(OpenedEntry opened, open_entry(reader, row.cid.view()));
    const bool is_symlink = opened.kind == TreeKind::kSymlink;
    const uint64_t size_bytes = is_symlink    ? opened.node->inline_content().size()
                                : opened.node ? opened.node->content_bytes()
                                              : opened.place.length_bytes;
    if (size_bytes != row.size_bytes || to_string(opened.kind) != row.kind) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                  fmt::format("a {} of {} bytes, the file table says {} of {}", to_string(opened.kind), size_bytes,
                              row.kind, row.size_bytes));
    }
    return is_symlink ? Status() : read_content(reader, row.cid, std::move(opened), size_bytes);
  }

  Status read_content(BlockReader& reader, const Cid& cid, OpenedEntry opened, uint64_t size_bytes) {
    FileReader content(reader, cid.view(), opened.place, std::move(opened.node), 0, size_bytes);
    for (;;) {
      PIECEWORK_TRY(check_stop());
      Result<std::optional<FileChunk>> chunk = content.next();
      if (!chunk) {
        failed_cid_ = content.failed_cid();
        failed_place_ = content.failed_place();
        return tl::unexpected<Error>(std::move(chunk.error()));
      }
      if (!*chunk) return {};
      failed_cid_ = (*chunk)->cid;
      failed_place_ = (*chunk)->place;
      ByteSpan wanted;
      PIECEWORK_TRY(read_chunk(reader, **chunk, buffer_, wanted));
    }
  }

  const DrillRequest& request_;
  RandomNumbers random_;
  DrillReport report_;
  VerifyReport faults_;
  std::vector<Piece> pieces_;
  std::vector<Sample> samples_;
  std::optional<size_t> open_piece_;
  IndexedCars one_;
  IndexedCars all_;
  BlockReader* reader_ = nullptr;  // used last
  Cid failed_cid_;
  std::optional<BlockPlace> failed_place_;
  std::vector<uint8_t> buffer_;
};

}  // namespace

Result<DrillReport> run_drill(const DrillRequest& request) { return Drill(request).run(); }

}  // namespace piecework::engine
