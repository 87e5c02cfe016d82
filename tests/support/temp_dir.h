// A temporary directory that goes away with its owner.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace piecework::testing {

// Creates a fresh directory below $TMPDIR (or /tmp) and removes it with everything in it. Thread-compatible. Aborts
// where it cannot be created. Directories without owner permissions inside are made removable first.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The bytes of a small file, or a file made of `bytes`; both abort on failure.
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace piecework::testing
