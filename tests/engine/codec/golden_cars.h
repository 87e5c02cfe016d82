// The blocks of the golden CARs, for tests of codecs: real nodes that other implementations encoded.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/car_block.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace piecework::testing {

inline std::vector<std::filesystem::path> golden_car_paths() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(vector_path("public"))) {
    if (entry.path().extension() == ".car") paths.push_back(entry.path());
  }
  return paths;
}

// A CAR in memory and its blocks, which point into it. Aborts where the CAR is not valid.
struct LoadedCar {
  std::string bytes;
  ByteSpan header;
  std::vector<engine::CarBlock> blocks;
};

inline LoadedCar load_car(const std::filesystem::path& path) {
  LoadedCar car;
  car.bytes = read_file(path);
  ByteSpan rest = as_bytes(car.bytes);
  while (!rest.empty()) {
    const DecodedVarint length = decode_varint(rest);
    PIECEWORK_CHECK(length.status == VarintStatus::kOk);
    const ByteSpan section = rest.subspan(length.length_bytes, static_cast<size_t>(length.value));
    rest = rest.subspan(length.length_bytes + section.size());
    if (car.header.empty()) {
      car.header = section;
    } else {
      car.blocks.push_back(engine::decode_car_block(section).value());
    }
  }
  return car;
}

}  // namespace piecework::testing
