// Shard functions, lookups and the scan of a flatfs directory; see flatfs.h.
#include "io/flatfs.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "io/dir_reader.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

constexpr std::string_view kShardingPrefix = "/repo/flatfs/shard/v1/";
constexpr std::string_view kShardingFile = "SHARDING";
constexpr std::string_view kBlockSuffix = ".data";
constexpr size_t kShardingFileBytesMax = 256;
constexpr uint64_t kOpenForStat = O_PATH | O_NOFOLLOW | O_CLOEXEC;

constexpr std::array<std::string_view, 3> kFunctionNames = {"prefix", "suffix", "next-to-last"};

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

Status require_regular(const File& file, const FileStamp& stamp) {
  if (stamp.is_regular()) return {};
  return corrupt(fmt::format("'{}': a {} stands where a block's file should be", printable(file.path()),
                             to_string(entry_kind_of_mode(stamp.mode))));
}

Result<FlatfsSharding> read_sharding(const File& directory) {
  constexpr std::string_view kWayRound =
      "without it no block can be found; put back the line that datastore_spec has as shardFunc, usually "
      "'/repo/flatfs/shard/v1/next-to-last/2'";
  Result<File> file = open_beneath(directory, kShardingFile);
  if (!file && file.error().code == ErrorCode::kNotFound) {
    return corrupt(fmt::format("'{}' has no file SHARDING, so it is no flatfs, or a damaged one: {}",
                               printable(directory.path()), kWayRound));
  }
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  PIECEWORK_ASSIGN(const FileStamp stamp, file->stamp());
  PIECEWORK_TRY(require_regular(*file, stamp));
  std::array<uint8_t, kShardingFileBytesMax> buffer;
  PIECEWORK_ASSIGN(const size_t read_bytes, file->read_full(buffer, 0));
  std::string_view line = as_text(ByteSpan(buffer).first(read_bytes));
  if (line.ends_with('\n')) line.remove_suffix(1);
  Result<FlatfsSharding> sharding = parse_flatfs_sharding(line);
  if (!sharding) {
    return corrupt(fmt::format("'{}': {}; {}", printable(file->path()), sharding.error().message, kWayRound));
  }
  return sharding;
}

}  // namespace

std::string FlatfsSharding::text() const {
  return fmt::format("{}{}/{}", kShardingPrefix, kFunctionNames[static_cast<size_t>(function)], character_count);
}

std::string FlatfsSharding::shard_of(std::string_view key) const {
  const bool skips_last = function == FlatfsShardFunction::kNextToLast;
  if (function == FlatfsShardFunction::kPrefix) {
    std::string shard(key.substr(0, character_count));
    shard.resize(character_count, '_');
    return shard;
  }
  if (skips_last && !key.empty()) key.remove_suffix(1);
  const std::string_view tail = key.substr(key.size() - std::min<size_t>(key.size(), character_count));
  std::string shard(character_count - tail.size(), '_');
  return shard.append(tail);
}

Result<FlatfsSharding> parse_flatfs_sharding(std::string_view text) {
  const auto refuse = [text](std::string_view what) {
    return corrupt(fmt::format("the shard function '{}': {}", printable(text.substr(0, kShardingFileBytesMax)), what));
  };
  if (!text.starts_with(kShardingPrefix)) return refuse(fmt::format("expected {}<function>/<N>", kShardingPrefix));
  std::string_view rest = text.substr(kShardingPrefix.size());
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return refuse("its number is missing");
  const std::string_view name = rest.substr(0, slash);
  const std::string_view number = rest.substr(slash + 1);
  FlatfsSharding sharding;
  size_t function = 0;
  while (function < kFunctionNames.size() && kFunctionNames[function] != name) ++function;
  if (function == kFunctionNames.size()) return refuse("expected prefix, suffix or next-to-last");
  sharding.function = static_cast<FlatfsShardFunction>(function);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), sharding.character_count);
  if (error != std::errc() || end != number.data() + number.size() || number.front() == '0' ||
      sharding.character_count > kFlatfsShardCharactersMax) {
    return refuse(fmt::format("expected a number from 1 to {} at its end", kFlatfsShardCharactersMax));
  }
  return sharding;
}

bool is_flatfs_key(std::string_view key) {
  if (key.empty() || key.size() > kFlatfsKeyBytesMax) return false;
  for (const char c : key) {
    const bool is_plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_plain && c != '+' && c != '-' && c != '_' && c != '=') return false;
  }
  return true;
}

Result<FlatfsStore> FlatfsStore::open(const std::string& path) {
  PIECEWORK_ASSIGN(File directory, open_named_directory(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const FlatfsSharding sharding, read_sharding(directory));
  return FlatfsStore(std::move(directory), sharding);
}

std::string FlatfsStore::block_path(std::string_view key) const {
  PIECEWORK_CHECK(is_flatfs_key(key));
  std::string path = sharding_.shard_of(key);
  path.reserve(path.size() + 1 + key.size() + kBlockSuffix.size());
  path += '/';
  return path.append(key).append(kBlockSuffix);
}

std::string FlatfsStore::full_path(std::string_view key) const {
  return fmt::format("{}/{}", directory_.path(), block_path(key));
}

Result<uint64_t> FlatfsStore::block_bytes(std::string_view key) const {
  PIECEWORK_ASSIGN(const File file, open_beneath(directory_, block_path(key), kOpenForStat));
  PIECEWORK_ASSIGN(const FileStamp stamp, file.stamp());
  PIECEWORK_TRY(require_regular(file, stamp));
  return stamp.size_bytes;
}

Result<FlatfsBlockFile> FlatfsStore::open_block(std::string_view key) const {
  PIECEWORK_ASSIGN(File file, open_beneath(directory_, block_path(key)));
  PIECEWORK_ASSIGN(const FileStamp stamp, file.stamp());
  PIECEWORK_TRY(require_regular(file, stamp));
  return FlatfsBlockFile{std::move(file), stamp.size_bytes};
}

Result<ByteSpan> FlatfsStore::read_block(std::string_view key, uint64_t block_bytes_max,
                                         std::vector<uint8_t>& buffer) const {
  PIECEWORK_ASSIGN(const FlatfsBlockFile block, open_block(key));
  if (block.length_bytes > block_bytes_max) {
    return corrupt(fmt::format("'{}': a block of {} bytes; at most {} are read", printable(block.file.path()),
                               block.length_bytes, block_bytes_max));
  }
  if (buffer.size() < block.length_bytes) buffer.resize(static_cast<size_t>(block.length_bytes));
  const MutableByteSpan target = MutableByteSpan(buffer).first(static_cast<size_t>(block.length_bytes));
  PIECEWORK_ASSIGN(const size_t read_bytes, block.file.read_full(target, 0));
  if (read_bytes < target.size()) {
    return fail(ErrorCode::kChanged, ErrorSide::kSource,
                fmt::format("'{}': had {} bytes when it was opened, only {} could be read",
                            printable(block.file.path()), target.size(), read_bytes));
  }
  return ByteSpan(target);
}

// The names in the store's directory that can be shards, in order: directories without a leading dot. Files are
// flatfs's own notes; anything else would be followed by kubo (a symlink) or hang it, so it is handed out to be said.
Status FlatfsStore::visit_shards(const FlatfsVisitor& visit_foreign,
                                 const std::function<Status(std::string_view shard)>& visit_shard) const {
  // Another descriptor: reading a directory moves its position, and lookups go on meanwhile.
  PIECEWORK_ASSIGN(const File directory, open_beneath(directory_, ".", kOpenDirectory));
  DirectoryListing listing;
  PIECEWORK_TRY(DirectoryReader(directory, {.with_stat = false}).next(listing));
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const DirectoryEntry entry = listing.entry(i);
    if (entry.name.starts_with('.') || entry.kind == EntryKind::kRegular || entry.sys_errno == ENOENT) continue;
    if (entry.kind == EntryKind::kDirectory) {
      PIECEWORK_TRY(visit_shard(entry.name));
      continue;
    }
    const FlatfsEntryKind kind =
        entry.kind == EntryKind::kUnknown ? FlatfsEntryKind::kUnreadable : FlatfsEntryKind::kNotRegular;
    PIECEWORK_TRY(visit_foreign({kind, entry.name, {}, 0, entry.sys_errno}));
  }
  return {};
}

Status FlatfsStore::scan_shard(std::string_view shard, const FlatfsVisitor& visit) const {
  const Result<File> directory = open_beneath(directory_, shard, kOpenDirectory);
  if (!directory && directory.error().code == ErrorCode::kNotFound) return {};  // removed since it was listed
  if (!directory) return tl::unexpected<Error>(directory.error());
  DirectoryListing listing;
  PIECEWORK_TRY(DirectoryReader(*directory).next(listing));
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const DirectoryEntry entry = listing.entry(i);
    if (!entry.name.ends_with(kBlockSuffix) || entry.sys_errno == ENOENT) continue;
    const std::string_view key = entry.name.substr(0, entry.name.size() - kBlockSuffix.size());
    FlatfsEntry found{FlatfsEntryKind::kBlock, shard, key, 0, entry.sys_errno};
    if (entry.kind == EntryKind::kUnknown) {
      found.kind = FlatfsEntryKind::kUnreadable;
    } else if (entry.kind != EntryKind::kRegular) {
      found.kind = FlatfsEntryKind::kNotRegular;
    } else {
      found.length_bytes = entry.stamp.size_bytes;
      if (!is_flatfs_key(key)) {
        found.kind = FlatfsEntryKind::kBadName;
      } else if (sharding_.shard_of(key) != shard) {
        found.kind = FlatfsEntryKind::kMisplaced;
      }
    }
    PIECEWORK_TRY(visit(found));
  }
  return {};
}

Status FlatfsStore::scan(const FlatfsVisitor& visit) const {
  return visit_shards(visit, [this, &visit](std::string_view shard) { return scan_shard(shard, visit); });
}

Result<std::optional<std::string>> FlatfsStore::find_misplaced(std::string_view key) const {
  const std::string own_path = block_path(key);
  std::optional<std::string> found;
  const auto look = [&](std::string_view shard) -> Status {
    const std::string path = fmt::format("{}/{}{}", shard, key, kBlockSuffix);
    if (found || path == own_path) return {};
    const Result<File> file = open_beneath(directory_, path, kOpenForStat);
    if (file) found = file->path();
    return {};
  };
  PIECEWORK_TRY(visit_shards([](const FlatfsEntry&) -> Status { return {}; }, look));
  return found;
}

}  // namespace piecework::io
