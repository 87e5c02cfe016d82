// Writes into a catalogue: one transaction, prepared statements, indexes last where the catalogue was empty.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/record/catalogue_reader.h"
#include "engine/record/receipt.h"

namespace piecework::engine {

struct ContentFacts {
  ContentKind kind = ContentKind::kFile;
  uint64_t size_bytes = 0;
  uint64_t car_offset_bytes = 0;
  uint64_t car_bytes = 0;
  ByteSpan cid;
};

// Thread-compatible. Nothing counts before commit(). Errors: the destination's.
class CatalogueWriter {
 public:
  // Opens, or makes, the catalogue and begins. Errors: as open_catalogue.
  static Result<std::unique_ptr<CatalogueWriter>> open(const std::string& path, int wait_ms = 10'000);

  ~CatalogueWriter();

  // The id of the piece with this CID, where the catalogue has it; `facts.id` does not count. Errors: kConflict where
  // what it has is not `facts`.
  Result<std::optional<uint64_t>> find_piece(const CataloguePiece& facts);
  Result<uint64_t> add_piece(const CataloguePiece& facts);
  Result<uint64_t> directory_id(std::string_view path);
  Result<uint64_t> add_content(uint64_t piece_id, const ContentFacts& content);
  // Once for each directory, name and content.
  Status add_entry(uint64_t directory_id, std::string_view name, uint64_t content_id);
  Status add_range(uint64_t content_id, uint64_t position, const CatalogueRange& range);
  Status add_external(uint64_t content_id, uint64_t position, uint64_t file_offset_bytes, uint64_t file_bytes,
                      ByteSpan cid);
  // The receipt of a batch whose piece is in the catalogue. False where it was there. Errors: kConflict (destination)
  // where another receipt of this batch says something else of its piece or of what was skipped.
  Result<bool> add_batch(const Receipt& receipt, uint64_t piece_id);

  Status commit();

 private:
  struct Statements;
  explicit CatalogueWriter(Database database);
  Status begin();
  Status prepare();
  Status add_batch_rows(const Receipt& receipt, uint64_t batch_id);
  // The id of the row that `find` finds by `key`, or that `add` adds.
  Result<uint64_t> id_of(Statement& find, Statement& add, std::string_view key);

  Database database_;
  std::unique_ptr<Statements> statements_;
  bool is_bulk_ = false;
};

}  // namespace piecework::engine
