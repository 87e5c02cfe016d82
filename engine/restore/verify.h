// Checks a CAR from end to end: framing, every digest, the DAG under its roots, UnixFS, commP. Source: design.md 6,
// formats.md 1-3, 6-8, 11.
//
// One pass reads the file front to back; digests (many blocks at once) and segment roots of a batch are computed on all
// threads while its bytes are in cache. A second pass walks the DAG and reads again only the nodes that have links.
// Memory: two batches of bytes, 32 bytes for each block (VerifyOptions::memory_bytes bounds them), 32 for each segment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/restore/verify_report.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

struct VerifyOptions {
  unsigned thread_count = 1;
  uint64_t memory_bytes = kGiB;                 // for the index of blocks: 32 million of them
  bool zero_tail = false;                       // accept a CAR padded with zeros
  bool quick = false;                           // of a directory: existence, lengths, trees and receipts only
  bool expect_cars = true;                      // of a directory: false where it was packed with --no-car
  // Of a CAR whose receipt says that it is incomplete: see DagWalkInput.
  std::function<std::string(const CidView& cid)> where_external{};
  const std::atomic<bool>* stop = nullptr;      // looked at once a batch; kCancelled where it becomes true
  std::atomic<uint64_t>* done_bytes = nullptr;  // grows as bytes are read, for progress
};

// Checks the CAR at `path`, a regular file. What is wrong with it goes to `report` as problems, what is merely unusual
// as warnings; a file named <piece CID>.car must have that commP. An Error means that no answer could be had:
// kNotFound, kPermission, kIo, kChanged, kResourceExhausted, kCancelled, kUnsupported (no regular file).
Result<CarFacts> verify_car(const std::string& path, const VerifyOptions& options, VerifyReport& report);

}  // namespace piecework::engine
