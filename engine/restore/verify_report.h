// What a check found: problems (the answer is no), warnings, and the facts of a CAR. Source: design.md 6,
// formats.md 11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// One thing that is not as it should be; fields that do not apply are empty.
struct VerifyFinding {
  std::string kind{};   // below
  std::string piece{};  // path of the CAR or receipt
  std::string path{};   // inside the piece, as bytes
  std::string cid{};
  std::optional<uint64_t> offset_bytes{};  // in the CAR
  std::string expected{};
  std::string actual{};
};

// Kinds of findings; the names are part of the command's output.
namespace finding {
inline constexpr char kFraming[] = "framing";  // headers, lengths, the end
inline constexpr char kCid[] = "cid";          // a section without a CID that can be read and checked
inline constexpr char kDigest[] = "digest";    // data that its CID does not name
inline constexpr char kNode[] = "node";        // a block that breaks the rules of its codec or of UnixFS
inline constexpr char kLink[] = "link";        // a child that is not what its parent says
inline constexpr char kMissingBlock[] = "missing-block";
inline constexpr char kMissingRoot[] = "missing-root";
inline constexpr char kPieceCid[] = "piece-cid";  // commP against a name, a receipt, a tree
inline constexpr char kReceipt[] = "receipt";     // receipts that cannot be read or contradict what is there
inline constexpr char kMissingFile[] = "missing-file";
inline constexpr char kUnreadable[] = "unreadable";
inline constexpr char kLength[] = "length";
inline constexpr char kTree[] = "tree";        // <piece>.tree
inline constexpr char kSidecar[] = "sidecar";  // <piece>.nodes, <piece>.files.ndjson.zst
// Warnings: accepted, but not by every tool, or not to be restored as files.
inline constexpr char kLargeBlock[] = "large-block";
inline constexpr char kNoRoots[] = "no-roots";
inline constexpr char kName[] = "name";
inline constexpr char kHamtPlace[] = "hamt-place";
inline constexpr char kNotUnixfs[] = "not-unixfs";
inline constexpr char kNotFollowed[] = "not-followed";  // links of a codec that is not known here
inline constexpr char kUnreachable[] = "unreachable";
inline constexpr char kNoReceipt[] = "no-receipt";
inline constexpr char kSmallPiece[] = "small-piece";
// Of restoring only.
inline constexpr char kExists[] = "exists";  // something else stands where a name is to be made
inline constexpr char kLimit[] = "limit";    // more of something than the caller allows
// Neither: a block that stands elsewhere, as the receipt says.
inline constexpr char kExternal[] = "external";
}  // namespace finding

// Findings in the order they were made; of very many only the first are kept, all are counted. Thread-compatible.
class Findings {
 public:
  static constexpr size_t kKeptMax = 1000;

  void add(VerifyFinding finding) {
    ++count_;
    if (kept_.size() < kKeptMax) kept_.push_back(std::move(finding));
  }
  void append(const Findings& other);

  uint64_t count() const { return count_; }
  const std::vector<VerifyFinding>& kept() const { return kept_; }
  std::vector<VerifyFinding>& kept() { return kept_; }

 private:
  uint64_t count_ = 0;
  std::vector<VerifyFinding> kept_;
};

// What a CAR turned out to be; complete only where no framing problem was found.
struct CarFacts {
  uint64_t car_bytes = 0;
  uint64_t block_count = 0;      // sections
  uint64_t duplicate_count = 0;  // sections whose CID came before
  uint64_t unreachable_count = 0;
  std::vector<Cid> roots;  // each once
  bool is_v2 = false;
  // Sections stand in depth-first pre-order under the single root; of a CID that stands several times, as where content
  // repeats under --dedup files or none, the first one counts.
  bool is_in_order = false;
  // The same with each CID once: what `ipfs dag export` writes.
  bool is_dfs_preorder = false;
  Digest32 commp{};  // of the file as stored
  uint64_t padded_bytes = 0;
  std::vector<Digest32> segment_roots;
};

struct VerifyReport {
  Findings problems;
  Findings warnings;
  Findings external;  // links out of a CAR that is incomplete on purpose
  uint64_t car_count = 0;
  uint64_t receipt_count = 0;
  uint64_t block_count = 0;
  uint64_t car_bytes = 0;

  bool ok() const { return problems.count() == 0; }
};

}  // namespace piecework::engine
