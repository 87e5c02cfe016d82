#include "engine/piece/source_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "engine/piece/cold_files.h"

namespace piecework::engine {
namespace {

// The path in the packed tree, or the CID of a stored block.
std::string_view tree_path(const Run& run, const FileToRead& file) {
  return run.text(file.path_position, file.path_bytes);
}

// Of one run, so that the next ones have something left.
constexpr int64_t kKeptFilesMax = 1024;

bool is_block(const FileToRead& file) { return file.store_source >= 0; }

}  // namespace

io::OpenRequest SourceReader::open_request(const Run& run, const FileToRead& file, std::string& block_path) const {
  const std::string_view path = tree_path(run, file);
  if (!is_block(file)) {
    const SourcePlace place = sources_.place(path);
    return {.directory_fd = place.directory->fd(), .path = place.path.data()};
  }
  BlockFile place = sources_.block_file(static_cast<size_t>(file.store_source), as_bytes(path));
  block_path = std::move(place.path);
  return {.directory_fd = place.fd, .path = block_path.c_str()};
}

std::string SourceReader::describe(const Run& run, const FileToRead& file) const {
  const std::string_view path = tree_path(run, file);
  if (is_block(file)) return sources_.describe_block(static_cast<size_t>(file.store_source), as_bytes(path));
  return sources_.describe(path);
}

Error SourceReader::with_path(Error error, const Run& run, const FileToRead& file) const {
  if (!is_block(file)) {
    error.path = tree_path(run, file);
  } else if (error.sys_errno != 0) {  // the message names what was at hand: a CID in bytes, or half a path
    error = errno_error(error.sys_errno, error.side,
                        fmt::format("block {} in '{}'", cid_text(as_bytes(tree_path(run, file))), describe(run, file)));
  }
  return error;
}

Status SourceReader::check_before(const Run& run, const FileToRead& file, const io::FileStamp& stamp) const {
  const bool same_bytes = stamp.is_regular() && stamp.size_bytes == file.file_bytes;
  if (same_bytes && (is_block(file) || stamp.mtime_ns == file.mtime_ns)) return {};
  std::string change = "it is no regular file any more";
  if (stamp.is_regular()) {
    change = stamp.size_bytes != file.file_bytes
                 ? fmt::format("expected {} bytes, found {}", file.file_bytes, stamp.size_bytes)
                 : std::string("its mtime differs");
  }
  return fail(
      ErrorCode::kChanged, ErrorSide::kSource,
      fmt::format("'{}' changed since the plan was made: {}; make the plan again", describe(run, file), change));
}

Status SourceReader::check_after(const Run& run, const FileToRead& file, int fd, const io::FileStamp& before) const {
  if (is_block(file)) return {};  // its digest is checked
  PIECEWORK_ASSIGN(const io::FileStamp after, io::stamp_fd(fd, ErrorSide::kSource, describe(run, file)));
  if (after == before) return {};
  return fail(ErrorCode::kChanged, ErrorSide::kSource,
              fmt::format("'{}' changed while it was packed: {}; run again when it is quiet", describe(run, file),
                          io::describe_change(before, after)));
}

// A file of which nothing is read (it is empty, or equal to one that is packed): its stamp is enough, so it is not
// opened.
Status SourceReader::check_unread(const Run& run, const FileToRead& file) const {
  const SourcePlace place = sources_.place(tree_path(run, file));
  struct statx status = {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (statx(place.directory->fd(), place.path.data(), flags, STATX_BASIC_STATS, &status) != 0) {
    if (errno == ENAMETOOLONG) {
      PIECEWORK_ASSIGN(const io::File opened, io::open_beneath(*place.directory, place.path));
      PIECEWORK_ASSIGN(const io::FileStamp stamp, opened.stamp());
      return check_before(run, file, stamp);
    }
    return fail_errno(errno, ErrorSide::kSource, fmt::format("examining '{}'", describe(run, file)));
  }
  return check_before(run, file, io::stamp_of(status));
}

Status SourceReader::open_shared(const Run& run, const FileToRead& file) const {
  SharedFile& shared = *file.shared;
  std::call_once(shared.once, [&] {
    const SourcePlace place = sources_.place(tree_path(run, file));
    shared.status = [&]() -> Status {
      PIECEWORK_ASSIGN(shared.file, io::open_beneath(*place.directory, place.path));
      PIECEWORK_ASSIGN(shared.stamp, shared.file.stamp());
      return check_before(run, file, shared.stamp);
    }();
  });
  return shared.status;
}

// Opens the file where that needs no disk.
Result<SourceReader::Warmth> SourceReader::open_warm(const Run& run, const FileToRead& file, ColdFile& cold) const {
  if (file.shared != nullptr) {
    PIECEWORK_TRY(open_shared(run, file));
    cold.fd = file.shared->file.fd();
    cold.before = file.shared->stamp;
    return Warmth::kDone;
  }
  if (is_block(file) && sources_.is_car(static_cast<size_t>(file.store_source))) {
    cold.fd = sources_.car(static_cast<size_t>(file.store_source)).fd();
    return Warmth::kDone;
  }
  std::string block_path;
  const io::OpenRequest request = open_request(run, file, block_path);
  const std::string_view path = is_block(file) ? std::string_view(block_path) : tree_path(run, file);
  auto opened = io::try_open_cached(request.directory_fd, request.path, ErrorSide::kSource, path);
  // Descriptors that others hold now may be free when the backend opens the file.
  if (!opened && opened.error().code == ErrorCode::kResourceExhausted) return Warmth::kCold;
  if (!opened) return tl::unexpected<Error>(std::move(opened).error());
  if (!*opened) return Warmth::kCold;
  cold.owned_fd = CountedFd(std::move(**opened));
  cold.fd = cold.owned_fd.get();
  PIECEWORK_ASSIGN(cold.before, io::stamp_fd(cold.fd, ErrorSide::kSource, path));
  PIECEWORK_TRY(check_before(run, file, cold.before));
  return Warmth::kDone;
}

// Fills in `cold` as far as it gets; kCold: the rest is the backend's work.
Result<SourceReader::Warmth> SourceReader::read_warm(const Run& run, const FileToRead& file, ColdFile& cold) {
  if (file.extent_begin == file.extent_end && file.shared == nullptr && !is_block(file)) {
    PIECEWORK_TRY(check_unread(run, file));
    return Warmth::kDone;
  }
  PIECEWORK_ASSIGN(const Warmth opened, open_warm(run, file, cold));
  if (opened == Warmth::kCold) return Warmth::kCold;
  return read_cached(run, file, cold);
}

// Reads on where `cold`, which is open, has got to.
Result<SourceReader::Warmth> SourceReader::read_cached(const Run& run, const FileToRead& file, ColdFile& cold) const {
  for (; cold.next_extent < file.extent_end; ++cold.next_extent, cold.extent_done_bytes = 0) {
    const ReadExtent& extent = run.extents[cold.next_extent];
    const MutableByteSpan target = run.slot.bytes.subspan(extent.buffer_offset_bytes, extent.length_bytes);
    const uint32_t done_bytes = cold.extent_done_bytes;
    PIECEWORK_ASSIGN(const io::CachedRead read,
                     io::try_read_cached(cold.fd, target.subspan(done_bytes), extent.file_offset_bytes + done_bytes,
                                         ErrorSide::kSource, tree_path(run, file)));
    if (read.end == io::ReadEnd::kFull) continue;
    cold.extent_done_bytes += static_cast<uint32_t>(read.read_bytes);
    // Not only where it would block: Linux before 5.11 may say "end of file" where pages are missing. The backend's
    // read says whether it is true.
    return Warmth::kCold;
  }
  PIECEWORK_TRY(check_after(run, file, cold.fd, cold.before));
  return Warmth::kDone;
}

ColdFile SourceReader::unread(const Run& run, uint32_t file_index) {
  ColdFile cold;
  cold.file_index = file_index;
  cold.next_extent = run.files[file_index].extent_begin;
  return cold;
}

void SourceReader::read(Run& run, std::function<void()> done) {
  std::vector<ColdFile> cold_files;
  int64_t kept_count = 0;
  for (uint32_t i = 0; i < run.files.size() && run.status; ++i) {
    ColdFile cold = unread(run, i);
    auto warmth = read_warm(run, run.files[i], cold);
    if (!warmth)
      run.status = tl::unexpected<Error>(with_path(std::move(warmth).error(), run, run.files[i]));
    else if (*warmth == Warmth::kCold) {
      // Lookups are often cached where data is not: what more files than may be kept open have is opened again when
      // its turn comes.
      const bool is_kept = !cold.owned_fd.is_open() || (++kept_count <= kKeptFilesMax && cold.owned_fd.count());
      if (!is_kept) cold = unread(run, i);
      cold_files.push_back(std::move(cold));
    }
  }
  if (!run.status || cold_files.empty()) return done();
  run.cold_files = std::make_shared<ColdFiles>(*this, run, std::move(cold_files));
  run.cold_files->start_first(std::move(done));
}

void SourceReader::read_rest(Run& run, std::function<void()> done) {
  if (!run.status) run.cold_files.reset();
  if (run.cold_files == nullptr) return done();
  run.cold_files->start_rest(std::move(done));
}

}  // namespace piecework::engine
