// Opening a kubo repository, and its blocks by multihash; see kubo_repo.h. The parsers of its small files are
// kubo_config.cc.
#include "engine/store/kubo_repo.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/codec/car_block.h"
#include "engine/codec/multibase.h"
#include "io/dir_reader.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kVersionFile = "version";
constexpr std::string_view kSpecFile = "datastore_spec";
constexpr size_t kSmallFileBytesMax = 64 * kKiB;

// SHA-256 of nothing: the one block that is rightly an empty file (an empty file's leaf, an empty dag-pb node).
constexpr Digest32 kSha256OfNothing = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                                       0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                                       0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

// Of other functions only the digest itself can tell, when the block is read.
bool may_be_empty(const Multihash& multihash) {
  return multihash.code != kHashSha2_256 || std::ranges::equal(multihash.digest, kSha256OfNothing);
}

tl::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return tl::unexpected<Error>(std::move(error));
}

Result<std::string> read_small_file(const io::File& directory, std::string_view name) {
  PIECEWORK_ASSIGN(const io::File file, io::open_beneath(directory, name));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular() || stamp.size_bytes > kSmallFileBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("'{}': expected a file of at most {} bytes, found a {} of {}", printable(file.path()),
                            kSmallFileBytesMax, io::to_string(io::entry_kind_of_mode(stamp.mode)), stamp.size_bytes));
  }
  std::string content(static_cast<size_t>(stamp.size_bytes), '\0');
  PIECEWORK_ASSIGN(const size_t read_bytes,
                   file.read_full({reinterpret_cast<uint8_t*>(content.data()), content.size()}, 0));
  content.resize(read_bytes);
  return content;
}

std::string join(const std::string& directory, std::string_view path) {
  return path.starts_with('/') ? std::string(path) : fmt::format("{}/{}", directory, path);
}

Status check_agreement(const KuboMount& mount, const io::FlatfsStore& blocks, const std::string& spec_path) {
  const Result<io::FlatfsSharding> expected = io::parse_flatfs_sharding(mount.shard_function);
  if (expected && *expected == blocks.sharding()) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("'{}' has the shard function '{}', but '{}/SHARDING' has '{}': kubo opens neither; correct "
                          "the one that the directories under it do not follow",
                          printable(spec_path), printable(mount.shard_function), printable(blocks.directory().path()),
                          blocks.sharding().text()));
}

tl::unexpected<Error> empty_block(std::string_view path) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("'{}' is empty (a write was cut off); remove it and fetch the block again", printable(path)));
}

// What the name of a *.data says, for the scan. `storage` receives the bytes that `entry` then points to.
void classify(const io::FlatfsEntry& found, StoreEntry& entry, std::vector<uint8_t>& storage) {
  entry.kind = StoreEntryKind::kBadName;
  if (found.kind == io::FlatfsEntryKind::kBadName) return;
  Result<std::vector<uint8_t>> bytes = decode_base32_upper(found.key);
  if (!bytes) return;
  storage = std::move(*bytes);
  const Result<DecodedMultihash> decoded = decode_multihash_prefix(storage);
  if (!decoded || decoded->length_bytes != storage.size()) {
    if (decode_cid(storage)) entry.kind = StoreEntryKind::kCidKey;
    return;
  }
  entry.multihash = decoded->multihash;
  entry.multihash_bytes = storage;
  if (found.kind == io::FlatfsEntryKind::kMisplaced) {
    entry.kind = StoreEntryKind::kMisplaced;
  } else if (found.length_bytes == 0 && !may_be_empty(entry.multihash)) {
    entry.kind = StoreEntryKind::kEmpty;
  } else {
    entry.kind = StoreEntryKind::kBlock;
  }
}

}  // namespace

std::string flatfs_key_of(const Multihash& multihash) {
  std::array<uint8_t, kCidBytesMax> bytes;
  const uint8_t* end = encode_multihash(bytes.data(), multihash.code, multihash.digest);
  return encode_base32_upper(ByteSpan(bytes.data(), end));
}

Result<bool> KuboRepo::is_at(const std::string& path) {
  const auto false_unless_failed = [](const Error& error) -> Result<bool> {
    const bool is_unknown = error.code == ErrorCode::kIo || error.code == ErrorCode::kResourceExhausted;
    return is_unknown ? tl::unexpected<Error>(error) : Result<bool>(false);
  };
  const Result<io::File> directory = io::open_named_directory(path, ErrorSide::kSource);
  if (!directory) return false_unless_failed(directory.error());
  for (const std::string_view name : {kVersionFile, kSpecFile}) {
    const Result<io::File> file = io::open_beneath(*directory, name, O_PATH | O_CLOEXEC);
    // A symlink counts: open() then says what is wrong, where packing the repository as a plain directory would not.
    if (!file && file.error().code != ErrorCode::kChanged) return false_unless_failed(file.error());
  }
  return true;
}

Result<KuboRepo> KuboRepo::open(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File directory, io::open_named_directory(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const std::string version_text, read_small_file(directory, kVersionFile));
  const std::string version_path = fmt::format("{}/{}", path, kVersionFile);
  const Result<uint32_t> version = parse_kubo_version(version_text);
  if (!version) return with_context(version.error(), fmt::format("'{}'", printable(version_path)));
  PIECEWORK_ASSIGN(const std::string spec_text, read_small_file(directory, kSpecFile));
  const std::string spec_path = fmt::format("{}/{}", path, kSpecFile);
  Result<KuboDatastoreSpec> spec = parse_datastore_spec(spec_text);
  if (!spec) return with_context(spec.error(), fmt::format("'{}'", printable(spec_path)));
  PIECEWORK_ASSIGN(io::FlatfsStore blocks, io::FlatfsStore::open(join(path, spec->blocks.path)));
  PIECEWORK_TRY(check_agreement(spec->blocks, blocks, spec_path));
  return KuboRepo(path, *version, std::move(*spec), std::move(blocks));
}

std::string KuboRepo::mount_path(const KuboMount& mount) const { return join(path_, mount.path); }

Result<uint64_t> KuboRepo::find(const CidView& cid) const {
  if (cid.is_identity()) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kSource,
                fmt::format("block {}: an identity CID holds its bytes, no store does", cid_text(cid.bytes)));
  }
  const std::string key = flatfs_key_of(cid.multihash);
  Result<uint64_t> length = blocks_.block_bytes(key);
  if (length && *length == 0 && !may_be_empty(cid.multihash)) length = empty_block(blocks_.full_path(key));
  if (!length) return with_context(length.error(), fmt::format("block {}", cid_text(cid.bytes)));
  return length;
}

Result<ByteSpan> KuboRepo::read(const CidView& cid, DigestCheck check, std::vector<uint8_t>& buffer) const {
  if (cid.is_identity()) return tl::unexpected<Error>(find(cid).error());
  const std::string key = flatfs_key_of(cid.multihash);
  Result<ByteSpan> block = blocks_.read_block(key, kStoreBlockBytesMax, buffer);
  if (block && block->empty() && !may_be_empty(cid.multihash)) block = empty_block(blocks_.full_path(key));
  if (!block) return with_context(block.error(), fmt::format("block {}", cid_text(cid.bytes)));
  if (check == DigestCheck::kCheck) {
    const Status status = check_block_digest(cid, *block);
    if (!status) return with_context(status.error(), fmt::format("'{}'", printable(blocks_.full_path(key))));
  }
  return block;
}

Error KuboRepo::explain_missing(const CidView& cid) const {
  const std::string key = flatfs_key_of(cid.multihash);
  std::string message =
      fmt::format("block {} is missing: no file '{}'", cid_text(cid.bytes), printable(blocks_.full_path(key)));
  const std::string old_key = encode_base32_upper(cid.bytes);
  if (cid.version == 1 && io::is_flatfs_key(old_key) && blocks_.block_bytes(old_key)) {
    return {ErrorCode::kUnsupported,
            ErrorSide::kConfig,
            0,
            fmt::format("{}; '{}' is its file in a repository of before version {}: run `ipfs repo migrate` once, then "
                        "this again",
                        message, printable(blocks_.full_path(old_key)), kKuboVersionMin),
            {}};
  }
  const Result<std::optional<std::string>> misplaced = blocks_.find_misplaced(key);
  if (misplaced && misplaced->has_value()) {
    message += fmt::format("; '{}' lies in a shard directory where kubo does not look: move it to where it belongs",
                           printable(**misplaced));
  } else {
    message += "; fetch it with `ipfs refs -r` while the daemon runs, or leave its root out";
  }
  return {ErrorCode::kNotFound, ErrorSide::kSource, 0, std::move(message), {}};
}

Status KuboRepo::scan(const StoreVisitor& visit) const {
  std::vector<uint8_t> storage;
  std::string path;
  return blocks_.scan([&](const io::FlatfsEntry& found) -> Status {
    StoreEntry entry;
    entry.length_bytes = found.length_bytes;
    path.assign(found.shard);
    if (!found.key.empty()) path.append("/").append(found.key).append(".data");
    entry.path = path;
    switch (found.kind) {
      case io::FlatfsEntryKind::kNotRegular:
        entry.kind = StoreEntryKind::kNotRegular;
        break;
      case io::FlatfsEntryKind::kUnreadable:
        entry.kind = StoreEntryKind::kUnreadable;
        break;
      case io::FlatfsEntryKind::kBlock:
      case io::FlatfsEntryKind::kMisplaced:
      case io::FlatfsEntryKind::kBadName:
        classify(found, entry, storage);
        break;
    }
    return visit(entry);
  });
}

}  // namespace piecework::engine
