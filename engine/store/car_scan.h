// One CAR on the way into a store: header, roots and the place of every section, with strict verdicts.
//
// What is judged here is what can be judged without the data: framing, the header, CIDs, lengths, hash functions that
// nobody could check later. Digests are checked when a block is read for a piece, structure when it is walked. An index
// of a CARv2 is never looked at. Source: formats.md 7 and 11.
//
// Accepted: CARv1 and CARv2, sections twice, no roots, blocks of 8 to 32 MiB (counted, since other tools refuse them),
// sections with identity CIDs whose data is what the CID says (they name no place: the data is in the CID).
// Rejected: zero bytes after the last section, identity CIDs of over 128 bytes, headers over 8 MiB.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/store/block_store.h"
#include "io/car_reader.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// A decoded header takes several times its own length in memory. 8 MiB are 200,000 roots.
inline constexpr uint64_t kScannedCarHeaderBytesMax = 8 * kMiB;
static_assert(kScannedCarHeaderBytesMax <= io::kCarHeaderBytesMax);

struct CarScanFacts {
  std::vector<Cid> roots;  // as the header has them, repeats included
  uint64_t section_count = 0;
  uint64_t read_bytes = 0;  // of the file; little where blocks are large
  // Blocks of more than 8 MiB, and the first of them.
  uint64_t large_block_count = 0;
  uint64_t large_block_offset_bytes = 0;  // of its section
  uint64_t large_block_bytes = 0;
};

struct CarScanOptions {
  uint32_t file_index = 0;                         // put into each place
  const std::atomic<bool>* stop = nullptr;         // looked at once a section
  std::atomic<uint64_t>* scanned_bytes = nullptr;  // grows by the file's size in all, for progress
};

// Reads `file`, which had `stamp` when it was opened, from its beginning, and visits each section with a block in file
// order, repeats included. `name` is for messages.
// Errors: kCorrupt and kUnsupported (source) with the offset; kChanged where the file is shorter than its stamp says;
// of reading, with the file's side; kCancelled; those of `visit`. Blocks before a fault were visited.
Result<CarScanFacts> scan_car(const io::File& file, const std::string& name, const io::FileStamp& stamp,
                              const CarScanOptions& options, const BlockVisitor& visit);

// An error (source) of the CAR `name`: "'x.car': not a valid CAR at byte 10: ...".
tl::unexpected<Error> bad_car(const std::string& name, uint64_t offset_bytes, std::string_view what,
                              ErrorCode code = ErrorCode::kCorrupt);

}  // namespace piecework::engine
