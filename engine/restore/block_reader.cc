// See block_reader.h.
#include "engine/restore/block_reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/car_block.h"

namespace piecework::engine {
namespace {

// Each CAR has a descriptor here, up to as many; those that come later are read under the lock.
constexpr size_t kOpenFilesMax = 512;

}  // namespace

Result<BlockPlace> BlockReader::find(const CidView& cid) {
  if (cid.is_identity()) return BlockPlace{.length_bytes = cid.multihash.digest.size()};
  const std::lock_guard lock(mutex_);
  PIECEWORK_ASSIGN(const std::optional<BlockPlace> place, store_.find(cid));
  if (place) return *place;
  return tl::unexpected<Error>(store_.missing(cid));
}

// None where the CAR has to be read through the store.
Result<const io::File*> BlockReader::file(uint32_t index) {
  if (index >= kOpenFilesMax) return nullptr;
  const std::lock_guard lock(mutex_);
  if (files_.size() <= index) files_.resize(index + 1);
  if (!files_[index]) {
    PIECEWORK_ASSIGN(io::File opened, store_.open_file(index));
    files_[index] = std::make_unique<io::File>(std::move(opened));
  }
  return files_[index].get();
}

Status BlockReader::peek(const CidView& cid, const BlockPlace& place, MutableByteSpan target) {
  if (cid.is_identity()) {
    std::copy_n(cid.multihash.digest.begin(), target.size(), target.begin());
    return {};
  }
  PIECEWORK_ASSIGN(const io::File* source, file(place.file_index));
  if (source == nullptr) {
    const std::lock_guard lock(mutex_);
    return store_.read_begin(cid, place, target);
  }
  PIECEWORK_ASSIGN(const size_t read_bytes, source->read_full(target, place.offset_bytes));
  if (read_bytes == target.size()) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource,
              fmt::format("'{}' became shorter while it was read", printable(source->path())));
}

Status BlockReader::read(const CidView& cid, const BlockPlace& place, std::vector<uint8_t>& target) {
  if (place.length_bytes > kStoreBlockBytesMax) {
    return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                fmt::format("block {} has {} bytes, at most {} are read", cid_text(cid.bytes), place.length_bytes,
                            kStoreBlockBytesMax));
  }
  target.resize(static_cast<size_t>(place.length_bytes));
  PIECEWORK_TRY(peek(cid, place, target));
  return check_block_digest(cid, target);
}

Result<std::unique_ptr<NodeCursor>> BlockReader::open_node(const CidView& cid, const BlockPlace& place) {
  std::vector<uint8_t> data;
  PIECEWORK_TRY(read(cid, place, data));
  return NodeCursor::open(cid.codec, std::move(data));
}

void BlockReader::announce(const CidView& cid, const BlockPlace& place) {
  if (cid.is_identity()) return;
  const Result<const io::File*> source = file(place.file_index);
  if (!source || *source == nullptr) return;
  static_cast<void>(::posix_fadvise((*source)->fd(), static_cast<off_t>(place.offset_bytes),
                                    static_cast<off_t>(place.length_bytes), POSIX_FADV_WILLNEED));
}

VerifyFinding BlockReader::finding(const Error& error, const CidView& cid, const std::optional<BlockPlace>& place,
                                   std::string path) {
  const bool is_missing = error.code == ErrorCode::kNotFound;
  const bool is_unreadable = error.code == ErrorCode::kIo || error.code == ErrorCode::kChanged;
  VerifyFinding found{.kind = is_missing      ? finding::kMissingBlock
                              : is_unreadable ? finding::kUnreadable
                                              : finding::kNode,
                      .path = std::move(path),
                      .cid = cid_text(cid.bytes)};
  found.actual = error.message;
  if (!place || cid.is_identity()) return found;
  std::vector<uint8_t> data;
  if (const Status again = read(cid, *place, data); !again && again.error().code == ErrorCode::kCorrupt) {
    found.kind = finding::kDigest;
  }
  found.offset_bytes = place->offset_bytes;
  const std::lock_guard lock(mutex_);
  found.piece = store_.file_path(place->file_index);
  return found;
}

bool is_block_fault(const Error& error) {
  if (error.side != ErrorSide::kSource) return false;
  switch (error.code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
    case ErrorCode::kIo:
    case ErrorCode::kChanged:
      return true;
    default:
      return false;
  }
}

}  // namespace piecework::engine
