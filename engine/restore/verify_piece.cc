// See verify_piece.h.
#include "engine/restore/verify_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "engine/piece/segment_tree.h"
#include "engine/record/external_list.h"
#include "engine/record/sidecar_content.h"
#include "engine/restore/verify_external.h"
#include "engine/restore/verify_nodes.h"
#include "io/file.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

// Segment roots of 2 TiB of payload; sectors end at 64 GiB.
constexpr uint64_t kTreeBytesMax = 64 * kMiB;

class PieceVerification {
 public:
  PieceVerification(const PieceToVerify& piece, const VerifyOptions& options, VerifyReport& report)
      : piece_(piece), receipt_(*piece.receipt), options_(options), report_(report) {}

  Status run() {
    const Result<PieceCid> named = parse_piece_cid(receipt_.piece_cid_v1);
    if (!named) return {};  // the receipt was found wrong already, and no file can have this name
    root_ = named->root;
    PIECEWORK_TRY(check_tree());
    PIECEWORK_TRY(check_nodes());
    PIECEWORK_TRY(check_files());
    PIECEWORK_TRY(check_external());
    return check_car();
  }

 private:
  std::string path_of(std::string_view suffix) const {
    return fmt::format("{}/{}{}", piece_.directory_path, receipt_.piece_cid_v1, suffix);
  }

  void expect(const char* kind, const std::string& path, std::string expected, std::string actual,
              std::optional<uint64_t> offset_bytes = std::nullopt) {
    if (expected == actual) return;
    report_.problems.add({.kind = kind,
                          .piece = path,
                          .offset_bytes = offset_bytes,
                          .expected = std::move(expected),
                          .actual = std::move(actual)});
  }

  // <piece>.tree: a root for each segment. They must lead to the piece CID, and be what the receipt has the digest of.
  Status check_tree() {
    const std::string path = path_of(".tree");
    Result<std::vector<Digest32>> roots = read_tree(path);
    if (!roots) return absorb(std::move(roots.error()), finding::kTree, path, report_);
    const ByteSpan bytes{reinterpret_cast<const uint8_t*>(roots->data()), roots->size() * kDigestBytes};
    expect(finding::kTree, path, to_hex(receipt_.tree.sha256), to_hex(kernels::sha256(bytes)));
    expect(finding::kTree, path, fmt::format("{} bytes", receipt_.tree.content_bytes),
           fmt::format("{} bytes", bytes.size()));
    const Digest32 root = piece_root(*roots, receipt_.payload_bytes);
    expect(finding::kTree, path, piece_cid_v1_text(root_), piece_cid_v1_text(root));
    tree_ = std::move(*roots);
    return {};
  }

  Result<std::vector<Digest32>> read_tree(const std::string& path) const {
    const uint64_t payload_bytes = std::min(receipt_.payload_bytes, kPayloadBytesMax);
    const uint64_t tree_bytes = segment_count(payload_bytes) * kDigestBytes;
    PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
    if (!stamp.is_regular() || stamp.size_bytes != tree_bytes || tree_bytes > kTreeBytesMax) {
      return fail(
          ErrorCode::kCorrupt, ErrorSide::kSource,
          fmt::format("{} bytes, expected {} for {} payload bytes", stamp.size_bytes, tree_bytes, payload_bytes));
    }
    std::vector<Digest32> roots(static_cast<size_t>(tree_bytes / kDigestBytes));
    const MutableByteSpan target{reinterpret_cast<uint8_t*>(roots.data()), static_cast<size_t>(tree_bytes)};
    PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(target, 0));
    if (read_bytes != tree_bytes) return fail(ErrorCode::kChanged, ErrorSide::kSource, "it became shorter");
    return roots;
  }

  Status check_nodes() {
    const std::string path = path_of(".nodes");
    Result<io::File> file = io::open_named(path, ErrorSide::kSource);
    if (!file) return absorb(std::move(file.error()), finding::kSidecar, path, report_);
    if (!piece_.read_content) return {};
    Result<NodesFacts> nodes = verify_nodes(*file);
    if (!nodes) return absorb(std::move(nodes.error()), finding::kSidecar, path, report_);
    compare_content(path, receipt_.nodes, nodes->content);
    expect(finding::kSidecar, path, fmt::format("{} sections", receipt_.block_count),
           fmt::format("{} sections", nodes->section_count));
    expect(finding::kSidecar, path, fmt::format("{} bytes of CAR", receipt_.payload_bytes),
           fmt::format("{} bytes of CAR", nodes->car_bytes));
    return {};
  }

  Status check_files() {
    const std::string path = path_of(".files.ndjson.zst");
    Result<io::File> file = io::open_named(path, ErrorSide::kSource);
    if (!file) return absorb(std::move(file.error()), finding::kSidecar, path, report_);
    if (!piece_.read_content) return {};
    Result<SidecarContent> content = read_sidecar_content(*file, /*has_index=*/false);
    if (!content) return absorb(std::move(content.error()), finding::kSidecar, path, report_);
    compare_content(path, receipt_.files, *content);
    return {};
  }

  void compare_content(const std::string& path, const SidecarContent& expected, const SidecarContent& actual) {
    expect(finding::kSidecar, path, fmt::format("{} bytes of content", expected.content_bytes),
           fmt::format("{} bytes of content", actual.content_bytes));
    expect(finding::kSidecar, path, to_hex(expected.sha256), to_hex(actual.sha256));
  }

  // The list of what the CAR does not hold on purpose. Without a list that can be believed every such block is missing.
  Status check_external() {
    if (receipt_.external_count == 0) return {};
    const std::string path = piece_.receipts_path + "/" + external_list_name(receipt_.batch);
    Result<io::File> file = io::open_named(path, ErrorSide::kSource);
    if (!file) return absorb(std::move(file.error()), finding::kSidecar, path, report_);
    if (!piece_.read_content) return {};
    SidecarContent content;
    Result<ExternalList> list = ExternalList::read(*file, content);
    if (!list) return absorb(std::move(list.error()), finding::kSidecar, path, report_);
    compare_content(path, receipt_.external, content);
    expect(finding::kSidecar, path, fmt::format("{} blocks", receipt_.external_count),
           fmt::format("{} blocks", list->count()));
    external_.emplace(std::move(*list), piece_.receipts_path);
    return {};
  }

  Status check_car() {
    const std::string path = path_of(".car");
    Result<uint64_t> car_bytes = length_of(path);
    if (!car_bytes) {
      if (car_bytes.error().code == ErrorCode::kNotFound && !options_.expect_cars) return {};
      return absorb(std::move(car_bytes.error()), finding::kFraming, path, report_);
    }
    expect(finding::kLength, path, fmt::format("{} bytes", receipt_.payload_bytes),
           fmt::format("{} bytes", *car_bytes));
    if (!piece_.read_content) return {};
    VerifyOptions options = options_;
    if (external_) options.where_external = [this](const CidView& cid) { return external_->where(cid); };
    Result<CarFacts> facts = verify_car(path, options, report_);
    if (!facts) return absorb(std::move(facts.error()), finding::kFraming, path, report_);
    if (facts->segment_roots.empty()) return {};  // the framing is broken, and that was said
    compare(*facts, path);
    return {};
  }

  Result<uint64_t> length_of(const std::string& path) const {
    PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
    return stamp.size_bytes;
  }

  void compare(const CarFacts& facts, const std::string& path) {
    const std::string roots =
        facts.roots.size() == 1 ? facts.roots[0].text() : fmt::format("{} roots", facts.roots.size());
    expect(finding::kReceipt, path, "root " + receipt_.root_cid, "root " + roots);
    expect(finding::kReceipt, path, fmt::format("{} blocks", receipt_.block_count),
           fmt::format("{} blocks", facts.block_count));
    if (!facts.is_in_order) {
      expect(finding::kReceipt, path, "sections in depth-first pre-order", "another order");
    }
    // The first segment that differs tells where the CAR is damaged.
    const auto [in_tree, in_car] =
        std::mismatch(tree_.begin(), tree_.end(), facts.segment_roots.begin(), facts.segment_roots.end());
    if (in_tree == tree_.end() || in_car == facts.segment_roots.end()) return;
    const auto segment_index = static_cast<uint64_t>(in_tree - tree_.begin());
    expect(finding::kTree, path, to_hex(*in_tree), to_hex(*in_car), segment_index * kSegmentBytes);
  }

  const PieceToVerify& piece_;
  const Receipt& receipt_;
  const VerifyOptions& options_;
  VerifyReport& report_;
  Digest32 root_{};
  std::vector<Digest32> tree_;
  std::optional<ExternalPlaces> external_;
};

const char* kind_of(ErrorCode code, const char* corrupt_kind) {
  switch (code) {
    case ErrorCode::kNotFound:
      return finding::kMissingFile;
    case ErrorCode::kCorrupt:
      return corrupt_kind;
    default:
      return finding::kUnreadable;
  }
}

}  // namespace

Status absorb(Error error, const char* corrupt_kind, const std::string& path, VerifyReport& report) {
  if (error.code == ErrorCode::kCancelled || error.code == ErrorCode::kResourceExhausted) {
    return tl::unexpected<Error>(std::move(error));
  }
  report.problems.add({.kind = kind_of(error.code, corrupt_kind),
                       .piece = path,
                       .expected = "a file that can be read",
                       .actual = std::move(error.message)});
  return {};
}

Status verify_piece(const PieceToVerify& piece, const VerifyOptions& options, VerifyReport& report) {
  return PieceVerification(piece, options, report).run();
}

}  // namespace piecework::engine
