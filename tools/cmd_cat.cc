// `piecework cat CAR... PATH`: the bytes of a file, or a range of them, on standard output.
//
// A block goes out once it is checked, so what was printed before an error is right.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "engine/restore/file_reader.h"
#include "engine/restore/tree_walk.h"
#include "tools/car_flags.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct CatFlags {
  CarFlags cars;
  std::string range;
};

struct ByteBounds {
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = 0;  // before this one
};

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "A-B": both included; "A-": to the end; "-N": the last N. As in HTTP, an end behind the file is the file's.
Result<ByteBounds> bounds_of(const std::string& range, uint64_t size_bytes) {
  if (range.empty()) return ByteBounds{0, size_bytes};
  const auto usage = [&](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("--range {}: {}", printable(range), what));
  };
  const size_t dash = range.find('-');
  if (dash == std::string::npos) return usage("expected A-B, A- or -N");
  const std::string_view first = std::string_view(range).substr(0, dash);
  const std::string_view last = std::string_view(range).substr(dash + 1);
  const std::optional<uint64_t> begin = parse_number(first);
  const std::optional<uint64_t> end = parse_number(last);
  if ((!begin && !first.empty()) || (!end && !last.empty()) || (!begin && !end)) return usage("expected A-B, A- or -N");
  if (!begin) return ByteBounds{size_bytes - std::min(size_bytes, *end), size_bytes};
  if (end && *end < *begin) return usage("its end is before its begin");
  if (*begin >= size_bytes) return usage(fmt::format("begins behind the file, which has {} bytes", size_bytes));
  return ByteBounds{*begin, end ? std::min(size_bytes, std::max(*end, *end + 1)) : size_bytes};
}

// The file at the path, in the first root that has one there.
Result<engine::Cid> find_file(engine::BlockReader& reader, const OpenedCars& cars) {
  std::optional<engine::FoundEntry> other;
  std::optional<Error> fault;
  for (const engine::Cid& root : cars.roots) {
    Result<std::optional<engine::FoundEntry>> found = engine::find_path(reader, root, cars.path);
    if (!found && !engine::is_block_fault(found.error())) return tl::unexpected<Error>(std::move(found.error()));
    if (!found) {
      if (!fault) fault = std::move(found.error());
      continue;
    }
    if (!*found) continue;
    if ((*found)->kind == engine::TreeKind::kFile) return std::move((*found)->cid);
    other = std::move(*found);
  }
  if (other) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' is a {}, not a file", printable(cars.path), engine::to_string(other->kind)));
  }
  if (fault) {
    fault->code = ErrorCode::kCorrupt;
    return tl::unexpected<Error>(std::move(*fault));
  }
  return fail(ErrorCode::kNotFound, ErrorSide::kSource, fmt::format("no root has '{}'", printable(cars.path)));
}

// An error of a block, with the place where it stands.
tl::unexpected<Error> located(Error error, engine::BlockReader& reader, const engine::Cid& cid,
                              const std::optional<engine::BlockPlace>& place, const std::string& path) {
  if (!engine::is_block_fault(error)) return tl::unexpected<Error>(std::move(error));
  const engine::VerifyFinding found = reader.finding(error, cid.view(), place, path);
  error.message = fmt::format("'{}': {}: {}", printable(path), found.cid, error.message);
  if (found.offset_bytes) error.message += fmt::format(" ({}, byte {})", printable(found.piece), *found.offset_bytes);
  error.code = ErrorCode::kCorrupt;
  return tl::unexpected<Error>(std::move(error));
}

Status print_file(engine::BlockReader& reader, const engine::Cid& cid, const std::string& path,
                  const std::string& range) {
  Result<engine::OpenedEntry> opened = engine::open_entry(reader, cid.view());
  if (!opened) return located(std::move(opened.error()), reader, cid, {}, path);
  const uint64_t size_bytes = opened->node ? opened->node->content_bytes() : opened->place.length_bytes;
  PIECEWORK_ASSIGN(const ByteBounds bounds, bounds_of(range, size_bytes));
  engine::FileReader content(reader, cid.view(), opened->place, std::move(opened->node), bounds.begin_bytes,
                             bounds.end_bytes);
  std::vector<uint8_t> buffer;
  for (;;) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped");
    Result<std::optional<engine::FileChunk>> chunk = content.next();
    if (!chunk) return located(std::move(chunk.error()), reader, content.failed_cid(), content.failed_place(), path);
    if (!*chunk) return {};
    ByteSpan wanted;
    Status read = engine::read_chunk(reader, **chunk, buffer, wanted);
    if (!read) return located(std::move(read.error()), reader, (*chunk)->cid, (*chunk)->place, path);
    PIECEWORK_TRY(print_text(as_text(wanted)));
  }
}

Result<int> run_cat(const CatFlags& flags) {
  PIECEWORK_ASSIGN(const OpenedCars cars, open_car_arguments(flags.cars));
  if (cars.roots.empty()) PIECEWORK_TRY(cars.store->require_roots());
  engine::BlockReader reader(*cars.store);
  PIECEWORK_ASSIGN(const engine::Cid cid, find_file(reader, cars));
  PIECEWORK_TRY(print_file(reader, cid, cars.path, flags.range));
  return kExitDone;
}

}  // namespace

void add_cat_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<CatFlags>();
  CLI::App* command = add_command(app, {.name = "cat",
                                        .summary = "Print a file out of CARs, every block checked",
                                        .example = "piecework cat pieces/ site/index.html"});
  add_car_flags(*command, flags->cars);
  command
      ->add_option("--range", flags->range,
                   "Only these bytes of the file: A-B (from 0, both included), A- or -N (the last N)")
      ->type_name("RANGE");
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_cat(*flags); }; });
}

}  // namespace piecework::tools
