#include "engine/plan/source_set.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace piecework::engine {
namespace {

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> resolved(realpath(path.c_str(), nullptr), &free);
  if (resolved == nullptr) return fail_errno(errno, ErrorSide::kSource, fmt::format("source '{}'", printable(path)));
  return std::string(resolved.get());
}

std::string last_component(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

bool has_suffix(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

Status refuse_stores(const io::File& directory, const Source& source) {
  const auto holds = [&](std::string_view name) { return io::open_beneath(directory, name).has_value(); };
  if (!holds("datastore_spec") || !holds("version")) return {};
  return fail(
      ErrorCode::kInvalidArgument, ErrorSide::kConfig,
      fmt::format("source '{}' is a kubo repository; packing one is not supported yet. Export what it pins with "
                  "'ipfs dag export', or name '{}/blocks' to archive its files as they lie",
                  printable(source.path), printable(source.path)));
}

}  // namespace

Source parse_source(std::string_view argument) {
  const size_t equals = argument.find('=');
  // A '=' behind a '/' belongs to the path.
  if (equals != std::string_view::npos && equals > 0 &&
      argument.substr(0, equals).find('/') == std::string_view::npos) {
    return {std::string(argument.substr(0, equals)), std::string(argument.substr(equals + 1)), false};
  }
  return {std::string(), std::string(argument), false};
}

Result<SourceSet> SourceSet::open(std::vector<Source> sources, bool join) {
  SourceSet set;
  set.joined_ = join;
  for (Source& source : sources) {
    PIECEWORK_ASSIGN(const std::string real, real_path(source.path));
    if (source.name.empty()) source.name = last_component(real);
    PIECEWORK_ASSIGN(const io::File named, io::open_named(real, ErrorSide::kSource));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, named.stamp());
    source.is_directory = stamp.is_directory();
    if (!source.is_directory && !stamp.is_regular()) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("source '{}' is neither a directory nor a regular file", printable(source.path)));
    }
    if (!source.is_directory && has_suffix(real, ".car")) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("source '{}': CAR files as sources are not supported yet", printable(source.path)));
    }
    const size_t slash = real.rfind('/');
    const std::string directory = source.is_directory ? real : slash == 0 ? "/" : real.substr(0, slash);
    PIECEWORK_ASSIGN(io::File opened, io::open_named_directory(directory, ErrorSide::kSource));
    if (source.is_directory) PIECEWORK_TRY(refuse_stores(opened, source));
    source.path = real;
    set.base_names_.push_back(source.is_directory ? std::string() : real.substr(slash + 1));
    set.directories_.push_back(std::move(opened));
    const auto same_name = [&](const Source& other) { return other.name == source.name; };
    if (std::any_of(set.sources_.begin(), set.sources_.end(), same_name)) {
      return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                  fmt::format("two sources are called '{}'; name one of them with NAME=PATH", printable(source.name)));
    }
    set.sources_.push_back(std::move(source));
  }
  return set;
}

SourcePlace SourceSet::place(std::string_view tree_path) const {
  size_t index = 0;
  std::string_view below = tree_path;
  if (joined_) {
    const size_t slash = tree_path.find('/');
    const std::string_view name = tree_path.substr(0, slash);
    while (index < sources_.size() && sources_[index].name != name) ++index;
    PIECEWORK_CHECK(index < sources_.size());
    below = slash == std::string_view::npos ? std::string_view() : tree_path.substr(slash + 1);
  }
  if (!sources_[index].is_directory) below = base_names_[index];
  return {&directories_[index], below};
}

std::string SourceSet::describe(std::string_view tree_path) const {
  const SourcePlace at = place(tree_path);
  return fmt::format("{}/{}", printable(at.directory->path()), printable(at.path));
}

}  // namespace piecework::engine
