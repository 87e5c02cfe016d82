// The walk under the roots of a CAR: every block is there, every child is what its parent says, in which order they
// stand.
//
// Depth first, links in stored order, each block once (a DAG that shares its nodes a billion times is walked once),
// with an explicit stack. Only nodes with links are read again, at their offsets; leaves are known from the first pass.
// Bytes of nodes on the stack are dropped and read again where a deep, wide tree would take too much memory. Source:
// formats.md 3, 6, 11.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/restore/verify_index.h"
#include "engine/restore/verify_report.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// Reads the section that begins at an offset: its whole bytes, CID and data.
using ReadSection = std::function<Result<std::vector<uint8_t>>(uint64_t offset_bytes)>;

struct DagWalkInput {
  std::string piece;  // for findings
  const std::vector<Cid>* roots = nullptr;
  BlockIndex* index = nullptr;  // sorted; its is_visited bits are set
  // Says where a block stands that the CAR does not hold on purpose; "" where it is missing.
  std::function<std::string(const CidView& cid)> where_external;
  ReadSection read_section;
  std::function<Status()> check_stop;  // called now and then; an error ends the walk
  // Bytes of nodes on the stack beyond this are dropped, lowest first, and read again on the way back: at most one node
  // for each time that this much of the CAR was walked above it.
  size_t resident_bytes_max = 64 * kMiB;
};

struct DagWalkResult {
  uint64_t visited_count = 0;
  bool is_in_order = true;  // every visited section stands after the one visited before
};

// Findings go to `report`; their paths are those inside the piece. Errors: those of read_section and check_stop.
Result<DagWalkResult> walk_dag(const DagWalkInput& input, VerifyReport& report);

}  // namespace piecework::engine
