// See set_aside.h.
#include "engine/restore/set_aside.h"

#include <fmt/format.h>

#include <filesystem>

#include "io/rename.h"
#include "kernels/base/kill_point.h"

namespace piecework::engine {
namespace {

constexpr unsigned kNamesMax = 1000;

std::string aside_name(const std::string& path, unsigned number) {
  return number == 1 ? path + ".damaged" : fmt::format("{}.damaged-{}", path, number);
}

}  // namespace

Status SetAside::add(const std::string& path) {
  for (unsigned number = 1; number <= kNamesMax; ++number) {
    const std::string aside = aside_name(path, number);
    PIECEWORK_ASSIGN(const bool is_renamed, io::rename_without_replacing(path, aside));
    if (!is_renamed) continue;
    moved_.push_back({path, aside});
    kill_point("repair.after_set_aside");
    return {};
  }
  return fail(ErrorCode::kConflict, ErrorSide::kDestination,
              fmt::format("'{}' and {} more exist; remove what is not needed", printable(aside_name(path, 1)),
                          kNamesMax - 1));
}

void SetAside::adopt(const std::string& path) {
  std::error_code ignored;
  for (unsigned number = 1; number <= kNamesMax; ++number) {
    const std::string aside = aside_name(path, number);
    if (!std::filesystem::exists(std::filesystem::symlink_status(aside, ignored))) return;
    moved_.push_back({path, aside});
  }
}

Status SetAside::give_back() {
  std::vector<Moved> left;
  for (Moved& file : moved_) {
    PIECEWORK_ASSIGN(const bool is_renamed, io::rename_without_replacing(file.aside, file.path));
    if (!is_renamed) left.push_back(std::move(file));
  }
  moved_ = std::move(left);
  return {};
}

Status SetAside::remove() {
  for (const Moved& file : moved_) PIECEWORK_TRY(io::remove_file(file.aside));
  moved_.clear();
  return {};
}

std::vector<std::string> SetAside::names() const {
  std::vector<std::string> names;
  for (const Moved& file : moved_) names.push_back(file.aside);
  return names;
}

}  // namespace piecework::engine
