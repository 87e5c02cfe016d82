#include "engine/plan/source_set.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "io/spool_stream.h"

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

}  // namespace

Source parse_source(std::string_view argument) {
  const size_t equals = argument.find('=');
  // A '=' behind a '/' belongs to the path.
  if (equals != std::string_view::npos && equals > 0 &&
      argument.substr(0, equals).find('/') == std::string_view::npos) {
    return {std::string(argument.substr(0, equals)), std::string(argument.substr(equals + 1))};
  }
  return {std::string(), std::string(argument)};
}

// What stands at `real_path`. A directory with a kubo repository's files is one.
Status SourceSet::identify(Source& source, const std::string& real_path) {
  PIECEWORK_ASSIGN(const io::File named, io::open_named(real_path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, named.stamp());
  if (stamp.is_directory()) {
    PIECEWORK_ASSIGN(const bool is_repository, KuboRepo::is_at(real_path));
    source.kind = is_repository ? SourceKind::kKuboRepository : SourceKind::kDirectory;
    return {};
  }
  if (stamp.is_regular()) {
    source.kind = has_suffix(real_path, ".car") ? SourceKind::kCar : SourceKind::kFile;
    return {};
  }
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("source '{}' is neither a directory nor a regular file", printable(source.path)));
}

Status SourceSet::open_one(Source source, const std::string& real_path) {
  const size_t slash = real_path.rfind('/');
  std::unique_ptr<KuboRepo> repository;
  io::File opened;
  if (source.kind == SourceKind::kKuboRepository) {
    PIECEWORK_ASSIGN(KuboRepo repo, KuboRepo::open(real_path));
    repository = std::make_unique<KuboRepo>(std::move(repo));
  } else if (source.kind == SourceKind::kCar) {
    PIECEWORK_ASSIGN(opened, io::open_named(real_path, ErrorSide::kSource));
  } else {
    const std::string parent = slash == 0 ? "/" : real_path.substr(0, slash);
    const std::string& directory = source.kind == SourceKind::kDirectory ? real_path : parent;
    PIECEWORK_ASSIGN(opened, io::open_named_directory(directory, ErrorSide::kSource));
  }
  base_names_.push_back(source.kind == SourceKind::kFile ? real_path.substr(slash + 1) : std::string());
  directories_.push_back(std::move(opened));
  repositories_.push_back(std::move(repository));
  source.path = real_path;
  sources_.push_back(std::move(source));
  return {};
}

Status SourceSet::check_mixture() const {
  for (const Source& source : sources_) {
    if (source.is_store() == sources_.front().is_store()) continue;
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' and '{}' cannot be in one plan: one keeps its CIDs, the other gets new ones; pack "
                            "stores and files one after the other",
                            printable(sources_.front().path), printable(source.path)));
  }
  return {};
}

Status SourceSet::check_name(const Source& source) const {
  const auto same_name = [&](const Source& other) { return other.name == source.name; };
  if (std::none_of(sources_.begin(), sources_.end(), same_name)) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("two sources are called '{}'; name one of them with NAME=PATH", printable(source.name)));
}

Status SourceSet::open_standard_input(Source source, const std::string& scratch_path, const std::atomic<bool>* stop) {
  if (scratch_path.empty()) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "standard input cannot be read a second time: write the CAR to a file and give its path");
  }
  if (source.name.empty()) source.name = "stdin";
  PIECEWORK_TRY(check_name(source));
  source.kind = SourceKind::kCar;
  PIECEWORK_ASSIGN(io::File spool, io::spool_stream(STDIN_FILENO, "standard input", scratch_path, stop));
  base_names_.emplace_back();
  directories_.push_back(std::move(spool));
  repositories_.emplace_back();
  sources_.push_back(std::move(source));
  return {};
}

Result<SourceSet> SourceSet::open(std::vector<Source> sources, bool join, const std::string& scratch_path,
                                  const std::atomic<bool>* stop) {
  SourceSet set;
  set.joined_ = join;
  for (Source& source : sources) {
    if (source.path == kStandardInput) {
      PIECEWORK_TRY(set.open_standard_input(std::move(source), scratch_path, stop));
      continue;
    }
    PIECEWORK_ASSIGN(const std::string real, real_path(source.path));
    if (source.name.empty()) source.name = last_component(real);
    PIECEWORK_TRY(identify(source, real));
    PIECEWORK_TRY(set.check_name(source));
    PIECEWORK_TRY(set.open_one(std::move(source), real));
  }
  PIECEWORK_TRY(set.check_mixture());
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
  if (sources_[index].kind != SourceKind::kDirectory) below = base_names_[index];
  return {&directories_[index], below};
}

BlockFile SourceSet::block_file(size_t source, ByteSpan cid) const {
  const auto view = decode_cid(cid);
  PIECEWORK_CHECK(view.has_value());  // the plan's records hold CIDs that were decoded
  const io::FlatfsStore& blocks = repositories_[source]->blocks();
  return {blocks.directory().fd(), blocks.block_path(flatfs_key_of(view->multihash))};
}

std::string SourceSet::describe_block(size_t source, ByteSpan cid) const {
  if (is_car(source)) return printable(sources_[source].path);
  return fmt::format("{}/{}", printable(repositories_[source]->blocks().directory().path()),
                     printable(block_file(source, cid).path));
}

std::string SourceSet::describe(std::string_view tree_path) const {
  const SourcePlace at = place(tree_path);
  return fmt::format("{}/{}", printable(at.directory->path()), printable(at.path));
}

}  // namespace piecework::engine
