// A kubo repository as a store of blocks, read in place whether its daemon runs or not. Source: kubo's fsrepo,
// formats.md 10.
//
//   <repo>/version          18                             12 and later; before, flatfs keys were CIDs
//   <repo>/datastore_spec   JSON: which store is mounted where
//   <repo>/blocks/          flatfs (io/flatfs.h) of <base32 of the multihash>.data
//   <repo>/datastore/       leveldb: pins and the MFS root (kubo_pins.h)
//
// Blocks are found by multihash: the store does not know codecs, so the same bytes as raw and as dag-pb are one file
// and two blocks. flatfs never looks at what it stores: whoever uses a block checks its digest. Roots are kubo_pins.h.
// Blocks elsewhere than in a flatfs (badger, pebble, s3) are refused with the way round.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/store/block_store.h"
#include "io/flatfs.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr uint32_t kKuboVersionMin = 12;  // keys are multihashes from here on

// What is mounted at one place, as datastore_spec has it.
struct KuboMount {
  std::string type;            // "flatfs", "levelds", "badgerds", "pebbleds", ...
  std::string path;            // as written there: absolute, or relative to the repository
  std::string shard_function;  // of a flatfs
};

// The mounts that matter: the blocks', and that of everything else.
struct KuboDatastoreSpec {
  KuboMount blocks;  // at /blocks
  KuboMount root;    // at /
};

// Parses datastore_spec. Errors: kCorrupt (side kConfig) for what is no such JSON; kUnsupported (side kConfig) where
// the blocks are in no flatfs, with the way round.
Result<KuboDatastoreSpec> parse_datastore_spec(std::string_view json);

// Parses the file `version`. Errors, side kConfig: kCorrupt; kUnsupported below kKuboVersionMin, with the way round.
Result<uint32_t> parse_kubo_version(std::string_view text);

// The name of a multihash in flatfs: RFC 4648 base32, upper case, without padding.
std::string flatfs_key_of(const Multihash& multihash);

// What a file of the block store turned out to be.
enum class StoreEntryKind : uint8_t {
  kBlock,
  kMisplaced,   // a multihash in a shard directory where kubo does not look: counts as missing
  kEmpty,       // no bytes, but its digest is not that of no bytes: a torn write
  kCidKey,      // a key of a repository before version 12 (a CID): `ipfs repo migrate` renames it
  kBadName,     // *.data, but neither a multihash nor a CID
  kNotRegular,  // see io/flatfs.h
  kUnreadable,
};

// Views are valid during the visit.
struct StoreEntry {
  StoreEntryKind kind = StoreEntryKind::kBlock;
  Multihash multihash;       // of kBlock, kMisplaced and kEmpty
  ByteSpan multihash_bytes;  // its encoding: with 01 55 before it, a CIDv1 raw
  uint64_t length_bytes = 0;
  std::string_view path;  // <shard>/<name>, in the directory of blocks
};
using StoreVisitor = std::function<Status(const StoreEntry& entry)>;

enum class DigestCheck : uint8_t { kSkip, kCheck };

// Safe for concurrent use once opened.
class KuboRepo {
 public:
  // Whether `path` is a directory with entries `version` and `datastore_spec`; false where it may not be looked at.
  // Errors: kIo, kResourceExhausted (source): a repository must not be taken for a directory because of them.
  static Result<bool> is_at(const std::string& path);

  // Reads version, datastore_spec and SHARDING; the two must name the same shard function.
  // Errors: those above and FlatfsStore::open's; each names the file.
  static Result<KuboRepo> open(const std::string& path);

  const std::string& path() const { return path_; }
  uint32_t version() const { return version_; }
  const KuboDatastoreSpec& datastore() const { return spec_; }
  const io::FlatfsStore& blocks() const { return blocks_; }
  // Where a mount lies: its path, with the repository's before it unless it is absolute.
  std::string mount_path(const KuboMount& mount) const;

  // Length of the block, without reading it. Only the CID's multihash is looked up.
  // Errors, with the CID and the path: kNotFound; kCorrupt for a file without bytes whose digest is not that of no
  // bytes, and for what is no file; kPermission; kChanged; kInvalidArgument for an identity CID, which has no block.
  Result<uint64_t> find(const CidView& cid) const;

  // Reads the block into `buffer` (enlarged where needed, reused); the result points into it. With kCheck its digest is
  // computed and compared. Errors: as find(); kCorrupt where the digest is another, or the file is longer than
  // kStoreBlockBytesMax; kUnsupported where the hash function is not known here and kCheck is asked for.
  Result<ByteSpan> read(const CidView& cid, DigestCheck check, std::vector<uint8_t>& buffer) const;

  // The error for a block that find() says is missing, after a search of the whole store: kNotFound, with the path of
  // a copy in the wrong shard directory where there is one; kUnsupported (side kConfig) where it is there under a key
  // of before version 12. One lookup per shard directory, so for the first few missing blocks only.
  Error explain_missing(const CidView& cid) const;

  // Visits every file of the store in the order of io::FlatfsStore::scan, with its bounds; nothing is read.
  Status scan(const StoreVisitor& visit) const;

 private:
  KuboRepo(std::string path, uint32_t version, KuboDatastoreSpec spec, io::FlatfsStore blocks)
      : path_(std::move(path)), version_(version), spec_(std::move(spec)), blocks_(std::move(blocks)) {}

  std::string path_;
  uint32_t version_;
  KuboDatastoreSpec spec_;
  io::FlatfsStore blocks_;
};

}  // namespace piecework::engine
