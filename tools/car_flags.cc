// See car_flags.h.
#include "tools/car_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "engine/record/batch_state.h"
#include "engine/record/catalogue_pieces.h"
#include "engine/restore/open_cars.h"
#include "io/limits.h"
#include "tools/progress.h"

namespace piecework::tools {

void add_car_flags(CLI::App& command, CarFlags& flags) {
  command.add_option("CAR...", flags.arguments,
                     "CARs, or directories with CARs (all *.car in them). The last argument is a PATH inside them, "
                     "unless it is the only one, ends in .car or /, or --path is given. With --catalogue: just PATH, "
                     "or a CID");
  command
      .add_option_function<std::string>(
          "--path",
          [&flags](const std::string& path) {
            flags.path = path;
            flags.has_path = true;
          },
          "The path inside the CARs; all other arguments are CARs")
      ->type_name("PATH");
  command.add_option("--root", flags.root, "Start from this block instead of the CARs' roots")->type_name("CID");
  command.add_option("--scratch", flags.scratch, "Directory for an index of blocks that does not fit memory [/tmp]");
  CLI::Option* const catalogue =
      command.add_option("--catalogue", flags.catalogue_path, "Open only the CARs that this catalogue says are needed");
  CLI::Option* const pieces =
      command.add_option("--pieces", flags.pieces_paths, "Where the CARs lie; several times for several")
          ->allow_extra_args(false)
          ->type_name("DIR")
          ->needs(catalogue);
  catalogue->needs(pieces);
  command
      .add_option_function<std::string>(
          "--source", [&flags](const std::string& source) { flags.source = source; },
          "Only pieces of plans with this source; PATH is then below it")
      ->type_name("NAME")
      ->needs(catalogue);
}

CarArguments split_arguments(const CarFlags& flags) {
  CarArguments split{flags.arguments, flags.path};
  if (!flags.catalogue_path.empty()) {
    if (!flags.has_path && !flags.arguments.empty()) split.path = flags.arguments.front();
    split.cars.clear();
    return split;
  }
  if (flags.has_path || split.cars.size() < 2) return split;
  const std::string& last = split.cars.back();
  if (last.ends_with(".car") || last.ends_with('/')) return split;
  split.path = last;
  split.cars.pop_back();
  return split;
}

namespace {

Status check_arguments(const CarFlags& flags) {
  const auto usage = [](std::string_view message) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::string(message));
  };
  if (flags.catalogue_path.empty()) return flags.arguments.empty() ? Status(usage("CAR... is required")) : Status();
  const size_t place_count = flags.arguments.size() + (flags.has_path ? 1 : 0);
  return place_count > 1 ? Status(usage("--catalogue takes one PATH or CID, and no CARs")) : Status();
}

// The pieces for --root, the path, or, where nothing has that path, the CID that it is; then `root` is set.
Result<engine::NeededPieces> pieces_of(const CarFlags& flags, const std::string& path,
                                       const engine::PieceDirectories& directories,
                                       std::optional<engine::Cid>& root) {
  PIECEWORK_ASSIGN(engine::CatalogueReader reader, engine::CatalogueReader::open(flags.catalogue_path));
  engine::NeededPieces needed;
  if (flags.root.empty()) {
    PIECEWORK_ASSIGN(needed, engine::pieces_for_path(reader, path, flags.source, directories));
    const Result<engine::Cid> cid = engine::parse_cid(path);
    if (needed.pieces.empty() && cid) root = *cid;
  } else {
    PIECEWORK_ASSIGN(root, engine::parse_cid(flags.root));
  }
  if (root) {
    PIECEWORK_ASSIGN(needed, engine::pieces_for_cid(reader, *root, directories));
    needed.path = flags.root.empty() ? std::string() : path;
  }
  if (!needed.pieces.empty()) return needed;
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("'{}' is in no piece of '{}'", printable(root ? root->text() : path),
                          printable(flags.catalogue_path)));
}

// The CARs that a catalogue names, put into the arguments, and what to start from in them.
Status look_up(const CarFlags& flags, CarArguments& arguments, std::vector<engine::Cid>& roots) {
  const engine::PieceDirectories directories(flags.pieces_paths, engine::car_name);
  std::optional<engine::Cid> root;
  PIECEWORK_ASSIGN(const engine::NeededPieces needed, pieces_of(flags, arguments.path, directories, root));
  for (const engine::CataloguePiece& piece : needed.pieces) {
    PIECEWORK_ASSIGN(const std::string directory, directories.require(piece));
    arguments.cars.push_back(directory + "/" + directories.file_name(piece));
    const bool is_top = !root && arguments.cars.size() <= needed.top_count;
    if (is_top && std::ranges::find(roots, piece.root) == roots.end()) roots.push_back(piece.root);
  }
  if (root) roots.push_back(std::move(*root));
  arguments.path = needed.path;
  return {};
}

}  // namespace

Result<OpenedCars> open_car_arguments(const CarFlags& flags) {
  PIECEWORK_TRY(check_arguments(flags));
  CarArguments arguments = split_arguments(flags);
  PIECEWORK_TRY(io::raise_open_file_limit());
  OpenedCars opened;
  if (!flags.catalogue_path.empty()) PIECEWORK_TRY(look_up(flags, arguments, opened.roots));
  std::atomic<uint64_t> scanned_bytes = 0;
  {
    const ProgressPrinter printer("reading CARs",
                                  [&scanned_bytes] { return ProgressSnapshot{scanned_bytes.load(), 0}; });
    engine::CarStoreOptions options;
    options.scratch_directory = flags.scratch.empty() ? "/tmp" : flags.scratch;
    options.stop = &stop_requested();
    options.scanned_bytes = &scanned_bytes;
    PIECEWORK_ASSIGN(opened.store, engine::open_cars(arguments.cars, options));
  }
  for (const std::string& warning : opened.store->warnings()) print_message("warning: " + warning);
  if (!flags.catalogue_path.empty()) {
    // The catalogue said what to start from.
  } else if (flags.root.empty()) {
    opened.roots = opened.store->roots();
  } else {
    PIECEWORK_ASSIGN(engine::Cid root, engine::parse_cid(flags.root));
    opened.roots.push_back(std::move(root));
  }
  const size_t begin = arguments.path.find_first_not_of('/');
  if (begin != std::string::npos) {
    opened.path = arguments.path.substr(begin, arguments.path.find_last_not_of('/') - begin + 1);
  }
  return opened;
}

}  // namespace piecework::tools
