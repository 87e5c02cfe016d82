// See restore_last.h.
#include "engine/restore/restore_last.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace piecework::engine {

bool stays_inside(std::string_view path, std::string_view link_target) {
  if (link_target.starts_with('/')) return false;
  const auto directory_count = std::count(path.begin(), path.end(), '/');
  std::ptrdiff_t up_count = 0;
  bool has_name = false;
  while (!link_target.empty()) {
    const std::string_view component = link_target.substr(0, link_target.find('/'));
    link_target.remove_prefix(std::min(link_target.size(), component.size() + 1));
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      has_name = true;
      continue;
    }
    if (has_name || ++up_count > directory_count) return false;
  }
  return true;
}

Status RestoreLast::add_symlink(const std::string& directory, const std::string& name, const TreeEntry& entry,
                                const io::FileMetadata& metadata) {
  Symlink symlink{directory, name, std::string(entry.link_target), std::string(entry.path), metadata.mtime};
  symlink_bytes_ += sizeof symlink + directory.size() + name.size() + entry.link_target.size() + entry.path.size();
  if (symlink_bytes_ > kSymlinkBytesMax) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kSource,
                fmt::format("{} symlinks and more do not fit {} bytes of memory; restore it in parts, with --path",
                            symlinks_.size(), kSymlinkBytesMax));
  }
  symlinks_.push_back(std::move(symlink));
  return {};
}

void RestoreLast::add_directory(const std::string& path, const io::FileMetadata& metadata) {
  directories_.push_back({path, metadata});
}

Status RestoreLast::finish(RestoreReport& report) {
  for (const Symlink& symlink : symlinks_) PIECEWORK_TRY(make(symlink, report));
  if (target_ == nullptr) return {};
  // Deepest first: a mode may take away the right to go below.
  for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
    PIECEWORK_ASSIGN(const std::shared_ptr<const io::File> opened, target_->reopen(directory->path));
    PIECEWORK_TRY(target_->set_metadata(*opened, directory->metadata));
  }
  return {};
}

Status RestoreLast::make(const Symlink& symlink, RestoreReport& report) {
  const std::string place = symlink.directory.empty() ? symlink.name : symlink.directory + "/" + symlink.name;
  if (policy_ == SymlinkPolicy::kInside && !stays_inside(place, symlink.link_target)) {
    ++report.left_out_count;
    if (report.left_out.size() < RestoreReport::kLeftOutKeptMax) {
      report.left_out.push_back({symlink.path, symlink.link_target});
    }
    return {};
  }
  if (target_ == nullptr) {
    ++report.symlink_count;
    return {};
  }
  PIECEWORK_ASSIGN(const std::shared_ptr<const io::File> directory, target_->reopen(symlink.directory));
  PIECEWORK_ASSIGN(const bool is_made, target_->make_symlink(*directory, symlink.name, symlink.link_target));
  if (is_made) {
    ++report.symlink_count;
    return symlink.mtime ? target_->set_symlink_time(*directory, symlink.name, *symlink.mtime) : Status();
  }
  PIECEWORK_ASSIGN(const std::optional<io::RestoreTarget::Existing> existing, target_->find(*directory, symlink.name));
  if (existing && existing->link_target == symlink.link_target) {
    ++report.symlink_count;
    ++report.kept_count;
    return {};
  }
  report.conflicts.add({.kind = finding::kExists,
                        .path = symlink.path,
                        .expected = "no such name, or the same symlink",
                        .actual = "something else has the name; it was left as it is"});
  return {};
}

}  // namespace piecework::engine
