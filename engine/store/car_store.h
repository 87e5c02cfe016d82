// CAR files, any number of them, as one store of blocks. Source: formats.md 7 and 11; design.md 6.
//
// Every file is scanned when the store is opened, with strict verdicts (car_scan.h), into an index in bounded memory
// (car_index.h). A block that several files hold is read from the first. A file that holds one CID twice with different
// data contradicts itself and is refused; between files nothing is compared. What is read is not verified: whoever
// packs a block hashes it.
//
// CARs know whole CIDs, so that a block is found by the whole CID only: one that is stored as raw and linked as dag-pb
// is missing. Exporters write the CID that was linked.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/block_store.h"
#include "engine/store/car_files.h"
#include "engine/store/car_index.h"
#include "engine/store/car_scan.h"

namespace piecework::engine {

// One CAR. Where `spool` is open, it is read instead of `path`, which is then for messages only ("standard input").
struct CarInput {
  std::string path;
  io::File spool;  // io/spool_stream.h
  // Where set, it calls the visitor with the place of every block in place of the scan, which reads the CAR: places
  // that were written down when the CAR was. find() compares what stands there, so that a wrong one is no block. Roots
  // are then none.
  std::function<Status(uint32_t file_index, const BlockVisitor& visit)> list_places{};
};

struct CarStoreOptions {
  std::string scratch_directory;            // for an index that does not fit
  uint64_t index_memory_bytes = 64 * kMiB;  // see CarIndexBuilder
  size_t open_files_max = 256;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* scanned_bytes = nullptr;  // grows by the size of every file, for progress
};

// Thread-compatible.
class CarStore final : public BlockStore {
 public:
  // A CAR with more roots than these, all files together, is refused: memory.
  static constexpr size_t kRootsMax = 1'000'000;

  // Opens and scans `inputs`, which keep their order. Errors: those of scan_car; kNotFound, kPermission,
  // kInvalidArgument for what is no regular file; kChanged for a file that changed meanwhile; all of these name the
  // path. Of the scratch directory (destination). kCancelled.
  static Result<std::unique_ptr<CarStore>> open(std::vector<CarInput> inputs, const CarStoreOptions& options);

  // Reads the section's length and CID at the place and compares them, so that a place is never another block's.
  // Errors: kChanged where the file is not what was scanned; of reading.
  // REQUIRES: not an identity CID.
  Result<std::optional<BlockPlace>> find(const CidView& cid) override;
  // REQUIRES: `place` is one of this store's. Errors: kChanged; of reading.
  Status read(const CidView& cid, const BlockPlace& place, std::vector<uint8_t>& target) override;
  Status read_begin(const CidView& cid, const BlockPlace& place, MutableByteSpan target) override;
  // Scans every file once more.
  Status visit_blocks(const BlockVisitor& visit) override;
  bool knows_codecs() const override { return true; }
  std::string describe(const CidView& cid, const BlockPlace& place) const override;
  Error missing(const CidView& cid) const override;

  // The roots that the headers name, in order, each once.
  const std::vector<Cid>& roots() const { return roots_; }
  // Those of one file, as its header has them.
  const std::vector<Cid>& file_roots(uint32_t index) const { return file_roots_[index]; }
  // Where roots are not given otherwise: kCorrupt for the first CAR whose header names none.
  Status require_roots() const;

  // The files, in the order given; BlockPlace::file_index counts them.
  uint32_t file_count() const { return files_.count(); }
  const std::string& file_path(uint32_t index) const { return files_.path(index); }
  const io::FileStamp& file_stamp(uint32_t index) const { return files_.stamp(index); }  // as scanned
  // A descriptor of its own for the caller, checked against the stamp.
  Result<io::File> open_file(uint32_t index) { return files_.open_copy(index); }


  uint64_t block_count() const { return index_.entry_count(); }    // by whole CID
  uint64_t repeat_count() const { return index_.repeat_count(); }  // further sections with the CID of another one
  // What is accepted but should be said, at most one line for each file.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  CarStore(const CarStoreOptions& options) : options_(options), files_(options.open_files_max) {}

  Status scan(uint32_t file_index, const BlockVisitor& visit);
  Status take_places(const CarInput& input, const BlockVisitor& visit);
  Status take_facts(uint32_t file_index, CarScanFacts facts);
  void drop_repeated_roots();
  Status compare_repeat(const CarIndexEntry& before, const CarIndexEntry& repeat);

  CarStoreOptions options_;
  CarFiles files_;
  CarIndex index_;
  std::vector<Cid> roots_;
  std::vector<std::vector<Cid>> file_roots_;
  std::optional<uint32_t> rootless_file_;
  std::vector<std::string> warnings_;
};

}  // namespace piecework::engine
