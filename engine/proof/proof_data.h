// What a proof is checked against: a file, a symlink, or a tree of them. Paths are relative to it, "" is itself.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class ProofDataKind : uint8_t { kMissing, kFile, kDirectory, kSymlink, kOther };

struct ProofDataEntry {
  ProofDataKind kind = ProofDataKind::kMissing;
  uint64_t size_bytes = 0;  // kFile
  std::string target;       // kSymlink
};

class ProofData {
 public:
  virtual ~ProofData() = default;
  virtual Result<ProofDataEntry> entry(const std::string& path) = 0;
  // Fills `target`. Errors: kCorrupt (source) where there is no file, or it ends before; those of reading.
  virtual Status read(const std::string& path, uint64_t offset_bytes, MutableByteSpan target) = 0;
  // The first entry that is not in `paths`, or none.
  virtual Result<std::optional<std::string>> first_beside(const std::set<std::string>& paths) = 0;
};

// A file system's. Nothing outside `root` is read: symlinks are not followed, nor is `root` where it is one.
// Thread-compatible; keeps the file open that was read last.
class FileTreeData : public ProofData {
 public:
  // Errors: kNotFound (source).
  static Result<FileTreeData> open(const std::string& root);

  Result<ProofDataEntry> entry(const std::string& path) override;
  Status read(const std::string& path, uint64_t offset_bytes, MutableByteSpan target) override;
  Result<std::optional<std::string>> first_beside(const std::set<std::string>& paths) override;

 private:
  explicit FileTreeData(std::string root) : root_(std::move(root)) {}
  Result<io::File> open_file(const std::string& path) const;

  std::string root_;
  io::File directory_;  // where the root is one
  std::string open_path_;
  io::File open_file_;
};

}  // namespace piecework::engine
