// The sections of a piece for whoever walks its DAG: every CID with its place first, then single nodes by their place.
//
// Read from the CAR, over whose file data it seeks, or without one from <piece>.nodes. Both tell the same.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/memory/page_source.h"
#include "engine/record/file_table.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct PieceSection {
  uint64_t offset_bytes = 0;  // in the CAR, of its length varint
  uint64_t section_bytes = 0;
  uint64_t block_bytes = 0;
  CidView cid;              // until the next section
  bool has_block = true;    // false: file data without its bytes
  uint64_t leaf_bytes = 0;  // of a dag-pb leaf of a file: its content, where the source tells; else 0
};

// Thread-compatible.
class PieceSections {
 public:
  using Visitor = std::function<Status(const PieceSection& section)>;

  virtual ~PieceSections() = default;
  virtual const Cid& root() const = 0;
  virtual uint64_t payload_bytes() const = 0;  // of the CAR
  // Every section in the order of the CAR. Errors: kCorrupt (source); of reading; the visitor's.
  virtual Status visit_all(const Visitor& visit) = 0;
  // The block of the section that begins at `offset_bytes` and has `section_bytes`, checked against its CID. Errors:
  // as above. REQUIRES: has_block; near calls in the order of the CAR are fast.
  virtual Result<std::vector<uint8_t>> read_block(uint64_t offset_bytes, uint64_t section_bytes) = 0;
};

// A CARv1 with one root. Errors: kCorrupt (source) where it is something else.
Result<std::unique_ptr<PieceSections>> open_car_sections(const std::string& path);

// A sidecar of nodes. What a dag-pb leaf that is a file by itself holds depends on its encoding, and only the table of
// files beside the sidecar knows it: `files_path`, read where there are such leaves, 64 bytes a file of `pages` (null:
// just memory). `content`, where given, is what a receipt says of the sidecar: visit_all fails where it is not that.
// Errors: kNotFound (source) where a file is missing that is needed.
Result<std::unique_ptr<PieceSections>> open_nodes_sections(const std::string& nodes_path, const std::string& files_path,
                                                           std::optional<SidecarContent> content, PageSource* pages);

}  // namespace piecework::engine
