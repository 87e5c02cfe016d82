// The arguments that ls, cat and extract share: CARs, and a path inside them; or a catalogue, which says what CARs are
// needed for a path or CID.
#pragma once

#include <memory>
#include <optional>
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
  std::string catalogue_path;
  std::vector<std::string> pieces_paths;
  std::optional<std::string> source;
};

// CAR... [PATH], --path, --root, --scratch, --catalogue, --pieces, --source. `flags` outlives the command.
void add_car_flags(CLI::App& command, CarFlags& flags);

// What the arguments mean.
struct CarArguments {
  std::vector<std::string> cars;
  std::string path;
};
// The last argument, where it is not the first, is the path unless --path is there or it ends in ".car" or "/". With
// --catalogue there are no CARs.
CarArguments split_arguments(const CarFlags& flags);

struct OpenedCars {
  std::unique_ptr<engine::CarStore> store;
  std::vector<engine::Cid> roots;  // --root, or those of the headers, each once; of a catalogue: that have the path
  std::string path;                // inside the CARs, without slashes around it
};
// Opens the CARs, says what is unusual about them, and finds their roots. Errors: of the CARs; kInvalidArgument
// (config).
Result<OpenedCars> open_car_arguments(const CarFlags& flags);

}  // namespace piecework::tools
