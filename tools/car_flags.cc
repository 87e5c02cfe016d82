// See car_flags.h.
#include "tools/car_flags.h"

#include <fmt/format.h>

#include <atomic>

#include "engine/restore/open_cars.h"
#include "io/limits.h"
#include "tools/progress.h"

namespace piecework::tools {

void add_car_flags(CLI::App& command, CarFlags& flags) {
  command
      .add_option("CAR...", flags.arguments,
                  "CARs, or directories with CARs (all *.car in them). The last argument is a PATH inside them, "
                  "unless it is the only one, ends in .car or /, or --path is given")
      ->required();
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
}

CarArguments split_arguments(const CarFlags& flags) {
  CarArguments split{flags.arguments, flags.path};
  if (flags.has_path || split.cars.size() < 2) return split;
  const std::string& last = split.cars.back();
  if (last.ends_with(".car") || last.ends_with('/')) return split;
  split.path = last;
  split.cars.pop_back();
  return split;
}

Result<OpenedCars> open_car_arguments(const CarFlags& flags) {
  const CarArguments arguments = split_arguments(flags);
  PIECEWORK_TRY(io::raise_open_file_limit());
  OpenedCars opened;
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
  if (flags.root.empty()) {
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
