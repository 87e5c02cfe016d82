// Blocks of CARs, each checked against its CID as it is read, for any number of threads.
//
// The index of a CarStore is asked under a lock (a lookup reads a few bytes at most); data is read outside it, through
// descriptors of its own.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/restore/verify_node.h"
#include "engine/restore/verify_report.h"
#include "engine/store/car_store.h"
#include "io/file.h"

namespace piecework::engine {

// Safe for concurrent use.
class BlockReader {
 public:
  // `store` outlives the reader and is used by nobody else meanwhile.
  explicit BlockReader(CarStore& store) : store_(store) {}

  // Where the block lies. Of an identity CID only the length counts. Errors: kNotFound (source) where no CAR holds it;
  // of the store.
  Result<BlockPlace> find(const CidView& cid);
  // The block's data, of which the digest was checked. Errors: kCorrupt, kChanged, kIo, kUnsupported (source).
  Status read(const CidView& cid, const BlockPlace& place, std::vector<uint8_t>& target);
  // A block as a node with links. Errors: those of read() and NodeCursor::open.
  Result<std::unique_ptr<NodeCursor>> open_node(const CidView& cid, const BlockPlace& place);
  // Fills `target` from the start of the block's data, unchecked. REQUIRES: the block has as many bytes.
  Status peek(const CidView& cid, const BlockPlace& place, MutableByteSpan target);
  // Says that this block will be read soon.
  void announce(const CidView& cid, const BlockPlace& place);

  // What is said of a block that could not be had; `place` where it was found.
  VerifyFinding finding(const Error& error, const CidView& cid, const std::optional<BlockPlace>& place,
                        std::string path);

 private:
  Result<const io::File*> file(uint32_t index);

  CarStore& store_;
  std::mutex mutex_;  // of the store and what is below
  std::vector<std::unique_ptr<io::File>> files_;
};

// Whether an error is a fault of one block, so that others can still be restored.
bool is_block_fault(const Error& error);

}  // namespace piecework::engine
