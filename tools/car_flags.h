// The arguments that ls, cat and extract share: CARs, and a path inside them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/restore/block_reader.h"
#include "tools/cli.h"

namespace piecework::tools {

struct CarFlags {
  std::vector<std::string> arguments;
  std::string path;
  bool has_path = false;  // --path was given
  std::string root;
  std::string scratch;
};

// CAR... [PATH], --path, --root, --scratch. `flags` outlives the command.
void add_car_flags(CLI::App& command, CarFlags& flags);

// What the arguments mean.
struct CarArguments {
  std::vector<std::string> cars;
  std::string path;
};
// The last argument, where it is not the first, is the path unless --path is there or it ends in ".car" or "/".
CarArguments split_arguments(const CarFlags& flags);

struct OpenedCars {
  std::unique_ptr<engine::CarStore> store;
  std::vector<engine::Cid> roots;  // --root, or those of the headers, each once
  std::string path;                // inside the CARs, without slashes around it
};
// Opens the CARs, says what is unusual about them, and finds their roots. Errors: of the CARs; kInvalidArgument
// (config).
Result<OpenedCars> open_car_arguments(const CarFlags& flags);

}  // namespace piecework::tools
