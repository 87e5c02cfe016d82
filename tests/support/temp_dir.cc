// See temp_dir.h.
#include "tests/support/temp_dir.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>

namespace piecework::testing {
namespace {

[[noreturn]] void give_up(std::string_view action, const std::filesystem::path& path) {
  std::cerr << "test support: cannot " << action << ' ' << path << ": " << std::strerror(errno) << '\n';
  std::abort();
}

// A test may have taken the permissions of a directory away; without them it could not be emptied.
void make_removable(const std::filesystem::path& root) {
  std::error_code ignored;
  std::filesystem::permissions(root, std::filesystem::perms::owner_all, std::filesystem::perm_options::add, ignored);
  for (std::filesystem::recursive_directory_iterator entry(root, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    std::error_code status_error;
    if (!entry->is_symlink(status_error) && entry->is_directory(status_error)) {
      std::filesystem::permissions(entry->path(), std::filesystem::perms::owner_all, std::filesystem::perm_options::add,
                                   status_error);
    }
  }
}

}  // namespace

TempDir::TempDir() {
  const char* base = getenv("TMPDIR");
  std::string name =
      (std::filesystem::path(base != nullptr && *base != '\0' ? base : "/tmp") / "piecework-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) give_up("create", name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code error;
  make_removable(path_);
  std::filesystem::remove_all(path_, error);
  if (error) std::cerr << "test support: cannot remove " << path_ << ": " << error.message() << '\n';
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("open", path);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) give_up("read", path);
  return bytes;
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) give_up("create", path);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.flush();
  if (!file) give_up("write", path);
}

}  // namespace piecework::testing
