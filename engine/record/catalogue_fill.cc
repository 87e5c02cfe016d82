#include "engine/record/catalogue_fill.h"

#include <fmt/format.h>

#include <map>

#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "engine/record/batch_state.h"
#include "engine/record/receipt_walk.h"
#include "io/file.h"
#include "io/list_names.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kCarSuffix = ".car";
constexpr std::string_view kNodesSuffix = ".nodes";

Status check_directory(const std::string& path) {
  const Result<io::File> directory = io::open_named_directory(path, ErrorSide::kSource);
  if (!directory) return tl::unexpected<Error>(directory.error());
  return {};
}

tl::unexpected<Error> bad_receipt(const Receipt& receipt, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("the receipt of batch {} of plan {}: {}", receipt.batch, receipt.plan_digest, what));
}

Result<CataloguePiece> facts_of(const Receipt& receipt) {
  const Result<PieceCid> piece = parse_piece_cid(receipt.piece_cid_v1);
  const Result<Cid> root = parse_cid(receipt.root_cid);
  if (!piece || !root) return bad_receipt(receipt, (!piece ? piece.error() : root.error()).message);
  return CataloguePiece{.cid_v1 = receipt.piece_cid_v1,
                        .cid_v2 = receipt.piece_cid_v2,
                        .root = *root,
                        .payload_bytes = receipt.payload_bytes,
                        .padded_bytes = receipt.padded_bytes,
                        .block_count = receipt.block_count};
}

PieceContentsOptions contents_options(const FillOptions& options) {
  return {.pages = options.pages,
          .stop = options.stop,
          .done_bytes = options.done_bytes,
          .warning = options.warning};
}

Status check_stop(const FillOptions& options) {
  if (options.stop == nullptr || !options.stop->load()) return {};
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped; the catalogue is as before");
}

class DirectoryMerge {
 public:
  DirectoryMerge(const std::string& directory, const FillOptions& options, CatalogueWriter& writer, FillTotals& totals)
      : directory_(directory), options_(options), writer_(writer), totals_(totals) {}

  // `plan_digest`: of one plan, or empty.
  Status run(const std::string& plan_digest) {
    PIECEWORK_TRY(check_directory(directory_));
    PIECEWORK_ASSIGN(const std::vector<ReceiptPlace> places, list_receipts(directory_));
    std::optional<BatchStates> states;  // of the plan that places are at
    std::string plan;
    for (const ReceiptPlace& place : places) {
      PIECEWORK_TRY(check_stop(options_));
      if (!place.batch || (!plan_digest.empty() && place.plan != plan_digest)) continue;
      if (place.plan != plan) {
        PIECEWORK_ASSIGN(states, BatchStates::open(directory_, place.plan, options_.expect_cars));
        plan = place.plan;
      }
      PIECEWORK_ASSIGN(const std::optional<Receipt> receipt, states->done_receipt(*place.batch));
      if (receipt)
        PIECEWORK_TRY(add(*receipt));
      else
        note_not_done(place);
    }
    return {};
  }

 private:
  void note_not_done(const ReceiptPlace& place) {
    ++totals_.not_done_count;
    if (!options_.warning) return;
    options_.warning(fmt::format("'{}': batch {} of plan {} has a receipt and is not done: files of its piece are "
                                 "missing{}",
                                 printable(directory_), *place.batch, place.plan,
                                 options_.expect_cars ? "; --no-car where CARs lie elsewhere" : ""));
  }

  Status add(const Receipt& receipt) {
    ++totals_.receipt_count;
    totals_.skipped_count += receipt.skipped.size();
    ++totals_.piece_count;
    PIECEWORK_ASSIGN(const CataloguePiece facts, facts_of(receipt));
    PIECEWORK_ASSIGN(std::optional<uint64_t> piece_id, writer_.find_piece(facts));
    if (!piece_id) {
      PIECEWORK_ASSIGN(piece_id, add_piece(receipt, facts));
      ++totals_.new_piece_count;
    }
    PIECEWORK_ASSIGN(const bool is_new, writer_.add_batch(receipt, *piece_id));
    if (is_new) ++totals_.new_batch_count;
    return {};
  }

  Result<uint64_t> add_piece(const Receipt& receipt, const CataloguePiece& facts) {
    const auto path_of = [this](const std::string& name) { return fmt::format("{}/{}", directory_, name); };
    PIECEWORK_ASSIGN(const std::unique_ptr<PieceSections> sections,
                     open_nodes_sections(path_of(nodes_name(facts.cid_v1)), path_of(files_name(facts.cid_v1)),
                                         receipt.nodes, options_.pages));
    if (sections->root() != facts.root || sections->payload_bytes() != facts.payload_bytes) {
      return bad_receipt(receipt, fmt::format("it names root {} and {} payload bytes, '{}' has {} and {}",
                                              facts.root.text(), facts.payload_bytes, nodes_name(facts.cid_v1),
                                              sections->root().text(), sections->payload_bytes()));
    }
    return add_piece_contents(*sections, facts, contents_options(options_), writer_);
  }

  const std::string& directory_;
  const FillOptions& options_;
  CatalogueWriter& writer_;
  FillTotals& totals_;
};

// Where the files of a piece lie; empty where there is none.
struct PieceFiles {
  std::string car_path;
  std::string nodes_path;
  std::string files_path;
};

class Rebuild {
 public:
  Rebuild(const FillOptions& options, CatalogueWriter& writer, FillTotals& totals)
      : options_(options), writer_(writer), totals_(totals) {}

  Status run(const std::vector<std::string>& directories) {
    for (const std::string& directory : directories) PIECEWORK_TRY(look_into(directory));
    for (const auto& [cid, files] : pieces_) PIECEWORK_TRY(add_piece(cid, files));
    // Contents are complete; what follows says where they came from.
    for (const std::string& directory : directories) PIECEWORK_TRY(add_receipts(directory));
    return {};
  }

 private:
  Status look_into(const std::string& directory) {
    PIECEWORK_TRY(check_directory(directory));
    const auto add = [&](std::string_view suffix, std::string PieceFiles::* member) -> Status {
      PIECEWORK_ASSIGN(const std::vector<std::string> names, io::list_names(directory, suffix));
      for (const std::string& name : names) {
        const std::string cid = name.substr(0, name.size() - suffix.size());
        const Result<PieceCid> piece = parse_piece_cid(cid);
        if (!piece || piece->version != 1) {
          warn(fmt::format("'{}/{}' is not named by a piece CID: left out", printable(directory), printable(name)));
          continue;
        }
        std::string& path = pieces_[cid].*member;
        if (path.empty()) path = fmt::format("{}/{}", directory, name);
      }
      return {};
    };
    PIECEWORK_TRY(add(kCarSuffix, &PieceFiles::car_path));
    PIECEWORK_TRY(add(kNodesSuffix, &PieceFiles::nodes_path));
    return {};
  }

  void warn(const std::string& line) const {
    if (options_.warning) options_.warning(line);
  }

  static std::string files_path_of(const std::string& nodes_path) {
    return nodes_path.substr(0, nodes_path.size() - kNodesSuffix.size()) + ".files.ndjson.zst";
  }

  Status add_piece(const std::string& cid, const PieceFiles& files) {
    PIECEWORK_TRY(check_stop(options_));
    ++totals_.piece_count;
    std::unique_ptr<PieceSections> sections;
    if (!files.car_path.empty()) {
      PIECEWORK_ASSIGN(sections, open_car_sections(files.car_path));
    } else {
      PIECEWORK_ASSIGN(sections,
                       open_nodes_sections(files.nodes_path, files_path_of(files.nodes_path), std::nullopt,
                                           options_.pages));
    }
    PIECEWORK_ASSIGN(const PieceCid piece, parse_piece_cid(cid));
    CataloguePiece facts{.cid_v1 = cid, .root = sections->root(), .payload_bytes = sections->payload_bytes()};
    facts.cid_v2 = piece_cid_v2_text(piece.root, facts.payload_bytes);
    facts.padded_bytes = padded_bytes_for(facts.payload_bytes);
    PIECEWORK_ASSIGN(const std::optional<uint64_t> known, writer_.find_piece(facts));
    if (known) return {};
    ++totals_.new_piece_count;
    PIECEWORK_ASSIGN([[maybe_unused]] const uint64_t id,
                     add_piece_contents(*sections, facts, contents_options(options_), writer_));
    return {};
  }

  Status add_receipts(const std::string& directory) {
    return visit_receipts(directory, [this](const FoundReceipt& found) -> Status {
      if (!found.batch) return {};
      if (!found.receipt) return tl::unexpected<Error>(found.receipt.error());
      const Receipt& receipt = *found.receipt;
      if (receipt.plan_digest == found.plan && receipt.batch == *found.batch) return add_receipt(receipt);
      return bad_receipt(receipt, fmt::format("it lies at '{}'", printable(found.path)));
    });
  }

  Status add_receipt(const Receipt& receipt) {
    PIECEWORK_ASSIGN(const CataloguePiece facts, facts_of(receipt));
    PIECEWORK_ASSIGN(const std::optional<uint64_t> piece_id, writer_.find_piece(facts));
    if (!piece_id) {
      ++totals_.not_done_count;
      return {};
    }
    ++totals_.receipt_count;
    totals_.skipped_count += receipt.skipped.size();
    PIECEWORK_ASSIGN(const bool is_new, writer_.add_batch(receipt, *piece_id));
    if (is_new) ++totals_.new_batch_count;
    return {};
  }

  const FillOptions& options_;
  CatalogueWriter& writer_;
  FillTotals& totals_;
  std::map<std::string, PieceFiles> pieces_;  // by CID
};

}  // namespace

Status merge_directory(const std::string& directory, const std::string& plan_digest, const FillOptions& options,
                       CatalogueWriter& writer, FillTotals& totals) {
  return DirectoryMerge(directory, options, writer, totals).run(plan_digest);
}

Status rebuild_from(const std::vector<std::string>& directories, const FillOptions& options, CatalogueWriter& writer,
                    FillTotals& totals) {
  return Rebuild(options, writer, totals).run(directories);
}

}  // namespace piecework::engine
