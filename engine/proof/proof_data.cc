// See proof_data.h.
#include "engine/proof/proof_data.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "io/dir_reader.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> no(const std::string& path, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("the data's '{}': {}", printable(path), what));
}

std::string join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "/" + std::string(name);
}

}  // namespace

Result<FileTreeData> FileTreeData::open(const std::string& root) {
  FileTreeData data(root);
  PIECEWORK_ASSIGN(const ProofDataEntry entry, data.entry(""));
  if (entry.kind == ProofDataKind::kMissing) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource, fmt::format("'{}' does not exist", printable(root)));
  }
  if (entry.kind == ProofDataKind::kDirectory) {
    PIECEWORK_ASSIGN(data.directory_, io::open_named_directory(root, ErrorSide::kSource));
  }
  return data;
}

Result<ProofDataEntry> FileTreeData::entry(const std::string& path) {
  const std::filesystem::path full = path.empty() ? root_ : root_ + "/" + path;
  std::error_code error;
  ProofDataEntry entry;
  const std::filesystem::file_status status = std::filesystem::symlink_status(full, error);
  switch (status.type()) {
    case std::filesystem::file_type::not_found:
      return entry;
    case std::filesystem::file_type::none:
      return fail_errno(error.value(), ErrorSide::kSource, fmt::format("'{}'", printable(full.native())));
    case std::filesystem::file_type::directory:
      entry.kind = ProofDataKind::kDirectory;
      return entry;
    case std::filesystem::file_type::regular:
      entry.kind = ProofDataKind::kFile;
      entry.size_bytes = std::filesystem::file_size(full, error);
      break;
    case std::filesystem::file_type::symlink:
      entry.kind = ProofDataKind::kSymlink;
      entry.target = std::filesystem::read_symlink(full, error).native();
      break;
    default:
      entry.kind = ProofDataKind::kOther;
  }
  if (error) return fail_errno(error.value(), ErrorSide::kSource, fmt::format("'{}'", printable(full.native())));
  return entry;
}

Result<io::File> FileTreeData::open_file(const std::string& path) const {
  if (path.empty()) return io::open_named(root_, ErrorSide::kSource);
  if (!directory_.is_open()) return no(path, "expected in a directory");
  return io::open_beneath(directory_, path);
}

Status FileTreeData::read(const std::string& path, uint64_t offset_bytes, MutableByteSpan target) {
  if (!open_file_.is_open() || open_path_ != path) {
    PIECEWORK_ASSIGN(const ProofDataEntry found, entry(path));
    if (found.kind != ProofDataKind::kFile) return no(path, "expected a file");
    PIECEWORK_ASSIGN(open_file_, open_file(path));
    open_path_ = path;
  }
  PIECEWORK_ASSIGN(const size_t read_bytes, open_file_.read_full(target, offset_bytes));
  if (read_bytes == target.size()) return {};
  return no(path, fmt::format("it ends at {}, expected at least {}", offset_bytes + read_bytes,
                              offset_bytes + target.size()));
}

Result<std::optional<std::string>> FileTreeData::first_beside(const std::set<std::string>& paths) {
  if (!directory_.is_open()) return std::optional<std::string>();
  std::vector<std::string> pending = {""};
  while (!pending.empty()) {
    const std::string path = std::move(pending.back());
    pending.pop_back();
    io::File opened;
    if (!path.empty()) {
      PIECEWORK_ASSIGN(opened, io::open_beneath(directory_, path, io::kOpenDirectory));
    } else {
      PIECEWORK_ASSIGN(opened, io::open_named_directory(root_, ErrorSide::kSource));
    }
    PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(opened));
    for (size_t i = 0; i < listing.entry_count(); ++i) {
      const io::DirectoryEntry found = listing.entry(i);
      std::string child = join(path, found.name);
      if (!paths.contains(child)) return std::optional(std::move(child));
      if (found.kind == io::EntryKind::kDirectory) pending.push_back(std::move(child));
    }
  }
  return std::optional<std::string>();
}

}  // namespace piecework::engine
