// flatfs, the block store of kubo, read in place: where a key's file lies, what it holds, and which keys there are.
// Source: go-ds-flatfs (shard.go, flatfs.go), formats.md 10.
//
//   <directory>/SHARDING               /repo/flatfs/shard/v1/<prefix|suffix|next-to-last>/<N>, one line
//   <directory>/<shard>/<KEY>.data     the block; KEY of A-Z 0-9 + - _ =, shard a function of KEY
//   _README, diskUsage.cache, .temp/, put-*, whatever else is not <KEY>.data inside a shard directory: no blocks
//
// Keys are text here: what they name, and whether the bytes are what they should be, is the engine's business; flatfs
// itself checks neither. Files come by rename, so an open one is whole, and may be removed at any time by a garbage
// collection: a missing block is an outcome, not a fault of the store. Nothing is ever written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::io {

enum class FlatfsShardFunction : uint8_t { kPrefix, kSuffix, kNextToLast };

inline constexpr uint32_t kFlatfsShardCharactersMax = 250;  // a shard is the name of a directory
inline constexpr size_t kFlatfsKeyBytesMax = 250;           // with ".data", the longest name of a file

// How a key chooses its directory: `character_count` characters from its front, its back, or before its last one; a
// key that is too short is filled up with '_'.
struct FlatfsSharding {
  FlatfsShardFunction function = FlatfsShardFunction::kNextToLast;
  uint32_t character_count = 2;  // 1 to kFlatfsShardCharactersMax

  bool operator==(const FlatfsSharding&) const = default;
  // "/repo/flatfs/shard/v1/next-to-last/2"
  std::string text() const;
  // The directory of `key`.
  std::string shard_of(std::string_view key) const;
};

// Parses the identifier of a shard function, without a newline, as the text() above has it: nothing before or after,
// a decimal number without sign and leading zeros.
// Errors: kCorrupt, side kSource, with what is wrong; the caller adds where it stood.
Result<FlatfsSharding> parse_flatfs_sharding(std::string_view text);

// Whether flatfs takes `key` for a key: A-Z 0-9 + - _ = and 1 to kFlatfsKeyBytesMax of them.
bool is_flatfs_key(std::string_view key);

enum class FlatfsEntryKind : uint8_t {
  kBlock,
  kMisplaced,   // <KEY>.data in a directory that its key does not choose: flatfs would not find it
  kBadName,     // a *.data whose stem is no key
  kNotRegular,  // a symlink, fifo and so on where a block or a shard directory would be; never opened
  kUnreadable,  // could not be examined: sys_errno
};

// What a scan meets; views are valid during the visit.
struct FlatfsEntry {
  FlatfsEntryKind kind = FlatfsEntryKind::kBlock;
  std::string_view shard;    // the directory it was found in
  std::string_view key;      // the stem of the file's name; "" where the shard itself is meant
  uint64_t length_bytes = 0;  // of a regular file
  int sys_errno = 0;
};
using FlatfsVisitor = std::function<Status(const FlatfsEntry& entry)>;

// A block's file, open, regular. Movable; its owner closes it.
struct FlatfsBlockFile {
  File file;
  uint64_t length_bytes = 0;
};

// Safe for concurrent use once opened. Every lookup is beneath the directory's descriptor, symlinks are refused, no
// fifo or device is waited for.
class FlatfsStore {
 public:
  // Opens the directory (symlinks in `path` itself are followed: stores are moved to other disks that way) and reads
  // SHARDING. Errors: kNotFound, kPermission; kCorrupt where SHARDING is missing or not as above. Side: kSource.
  static Result<FlatfsStore> open(const std::string& path);

  const FlatfsSharding& sharding() const { return sharding_; }
  const File& directory() const { return directory_; }

  // "QV/CIQ...QVA.data", relative to the directory. REQUIRES: is_flatfs_key(key), here and below.
  std::string block_path(std::string_view key) const;
  // The same with the store's path before it, for messages.
  std::string full_path(std::string_view key) const;

  // Length of the block without reading it: open(O_PATH), fstat, close. May be 0: the block of no bytes is one.
  // Errors: kNotFound; kPermission; kCorrupt or kChanged for a symlink; kCorrupt for anything else that is no regular
  // file.
  Result<uint64_t> block_bytes(std::string_view key) const;
  // Opens the block for reading, under the same rules.
  Result<FlatfsBlockFile> open_block(std::string_view key) const;
  // Reads the whole block into `buffer`, which is enlarged where needed and reused; the result points into it.
  // Errors: as above; kCorrupt for more than `block_bytes_max`; kChanged where the file shrank meanwhile; kIo.
  Result<ByteSpan> read_block(std::string_view key, uint64_t block_bytes_max, std::vector<uint8_t>& buffer) const;

  // Visits every <name>.data, ordered by shard, then by the file's name, bytes compared: the same order on every
  // machine. Memory: the listing of one shard directory (about 150 bytes per block). Files that vanish in between are
  // left out. Errors: of the directories; the visitor's own, which ends the scan.
  Status scan(const FlatfsVisitor& visit) const;

  // Where a file <KEY>.data lies in a directory that flatfs would not look into; none where there is none. One lookup
  // per shard directory: for explaining a missing block, not for finding blocks.
  Result<std::optional<std::string>> find_misplaced(std::string_view key) const;

 private:
  FlatfsStore(File directory, FlatfsSharding sharding) : directory_(std::move(directory)), sharding_(sharding) {}
  Status visit_shards(const FlatfsVisitor& visit_foreign,
                      const std::function<Status(std::string_view shard)>& visit_shard) const;
  Status scan_shard(std::string_view shard, const FlatfsVisitor& visit) const;

  File directory_;
  FlatfsSharding sharding_;
};

}  // namespace piecework::io
