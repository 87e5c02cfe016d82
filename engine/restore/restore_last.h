// What a restore does at its end: symlinks, so that nothing can be written through one; then modes and times of
// directories, which making entries would change.
#pragma once

#include <string>
#include <vector>

#include "engine/restore/restore_tree.h"
#include "engine/restore/tree_walk.h"

namespace piecework::engine {

// Thread-compatible.
class RestoreLast {
 public:
  // `target`: none where nothing is written.
  RestoreLast(SymlinkPolicy policy, io::RestoreTarget* target) : policy_(policy), target_(target) {}

  // A symlink in `directory`, a path in the target. Errors: kResourceExhausted where there are too many of them.
  Status add_symlink(const std::string& directory, const std::string& name, const TreeEntry& entry,
                     const io::FileMetadata& metadata);
  void add_directory(const std::string& path, const io::FileMetadata& metadata);
  // Makes what was added. Errors: destination.
  Status finish(RestoreReport& report);

 private:
  struct Symlink {
    std::string directory;
    std::string name;
    std::string link_target;
    std::string path;  // in the tree, for findings
    std::optional<io::FileTime> mtime;
  };
  struct Directory {
    std::string path;
    io::FileMetadata metadata;
  };

  Status make(const Symlink& symlink, RestoreReport& report);

  SymlinkPolicy policy_;
  io::RestoreTarget* target_;
  std::vector<Symlink> symlinks_;
  std::vector<Directory> directories_;
  uint64_t symlink_bytes_ = 0;
};

}  // namespace piecework::engine
