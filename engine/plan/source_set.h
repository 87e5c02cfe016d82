// The sources of a plan, opened: where a path of the packed tree lies on disk.
//
// Every source of files is used through the descriptor of a directory: a directory source's own, or the parent of a
// file source. What is below is always opened beneath that descriptor, without following symlinks, so a source that is
// changed while it is packed cannot lead the reader elsewhere. A store is a kubo repository, whose blocks are opened
// beneath the directory of its flatfs, or a CAR, which stays open.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/inventory.h"
#include "engine/store/kubo_repo.h"
#include "io/file.h"

namespace piecework::engine {

// A place of the packed tree, resolved. `path` is relative to `directory`; both views live as long as their owners.
struct SourcePlace {
  const io::File* directory = nullptr;
  std::string_view path;
};

// Where a block of a kubo repository lies: `path` is relative to the directory `fd`.
struct BlockFile {
  int fd = -1;
  std::string path;
};

inline constexpr std::string_view kStandardInput = "-";

// Safe for concurrent use once opened.
class SourceSet {
 public:
  // Resolves and opens every source; symlinks in the paths that the user gave are followed here and nowhere else.
  // Fills in `kind` and, where empty, `name`. Errors: of the source (kNotFound, kPermission); kInvalidArgument for what
  // is neither a directory nor a regular file, for equal names, and for stores beside directories or files.
  // The path "-" is a CAR on standard input, copied into an unnamed file in `scratch_path`; where that is empty (a plan
  // that was made before), it is kInvalidArgument.
  static Result<SourceSet> open(std::vector<Source> sources, bool join, const std::string& scratch_path = {},
                                const std::atomic<bool>* stop = nullptr);

  const std::vector<Source>& sources() const { return sources_; }
  const io::File& directory(size_t source) const { return directories_[source]; }
  bool joined() const { return joined_; }

  // All sources are stores, or none is.
  bool holds_stores() const { return sources_.front().is_store(); }
  // REQUIRES, here and below: `source` is of that kind.
  const KuboRepo& repository(size_t source) const { return *repositories_[source]; }
  bool is_car(size_t source) const { return sources_[source].kind == SourceKind::kCar; }
  const io::File& car(size_t source) const { return directories_[source]; }
  bool is_standard_input(size_t source) const { return sources_[source].path == kStandardInput; }
  BlockFile block_file(size_t source, ByteSpan cid) const;
  // The path of the file that holds the block, for messages.
  std::string describe_block(size_t source, ByteSpan cid) const;

  // `tree_path` is a path in the packed tree (Inventory::path); "" is the root. Not for the root of joined sources.
  SourcePlace place(std::string_view tree_path) const;
  // "source path/path", for messages.
  std::string describe(std::string_view tree_path) const;

 private:
  static Status identify(Source& source, const std::string& real_path);
  Status open_one(Source source, const std::string& real_path);
  Status open_standard_input(Source source, const std::string& scratch_path, const std::atomic<bool>* stop);
  Status check_name(const Source& source) const;
  Status check_mixture() const;

  std::vector<Source> sources_;
  std::vector<io::File> directories_;    // of a CAR: itself
  std::vector<std::string> base_names_;  // of file sources, else empty
  std::vector<std::unique_ptr<KuboRepo>> repositories_;
  bool joined_ = false;
};

// Splits "NAME=PATH"; without a name the last component of the path stands in.
Source parse_source(std::string_view argument);

}  // namespace piecework::engine
