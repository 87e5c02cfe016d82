// Questions to a catalogue: which pieces hold a path, a CID; where in a CAR do a file's bytes stand?
//
// Answers are facts of the pieces (path, CID, size, sections) and of receipts (plan, batch, sources) and deals. A path
// is that in the piece: where a plan has several sources its first component is the source's name. Schema:
// catalogue_schema.h, FORMATS.md.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/record/catalogue_schema.h"

namespace piecework::engine {

struct CataloguePiece {
  uint64_t id = 0;  // in this database; 0 before it has one
  std::string cid_v1;
  std::string cid_v2;
  Cid root;
  uint64_t payload_bytes = 0;
  uint64_t padded_bytes = 0;
  uint64_t block_count = 0;
};

// A batch that came out as a piece; several where plans repeat each other.
struct CatalogueBatch {
  std::string plan_digest;
  uint32_t batch = 0;
  std::vector<std::string> source_names;  // of the plan
};

// Who said what about a deal, and when: a provider's claim, or the chain's evidence.
struct DealWitness {
  std::string verdict;   // observation.h has the names
  int64_t at_s = 0;      // seconds since 1970
  std::string endpoint;  // who was asked
  int64_t tipset_epoch = -1;
  std::string tipset;
  std::string detail;    // untrusted text
};

// A deal of the book, with what its state rests on.
struct CatalogueDeal {
  uint64_t id = 0;  // in this database
  std::string network;
  std::string provider;
  std::string kind;
  std::optional<uint64_t> deal_id;  // this and what follows as the chain said it: none before that
  std::optional<uint64_t> claim_id;
  std::optional<uint64_t> sector;
  std::optional<uint64_t> activation_epoch;
  int64_t start_epoch = 0;
  int64_t end_epoch = 0;
  std::string state;
  std::string client_key;           // under which the provider has it; "" of one that was adopted
  std::string signed_proposal_cid;  // "" where there is none
  std::optional<DealWitness> claim;
  std::optional<DealWitness> evidence;
};

// A subtree of an item that is larger than a piece.
struct CataloguePart {
  std::string path;
  std::string item_path;
  Cid cid;
};

// A file, symlink or directory at a path of a piece.
struct CatalogueEntry {
  std::string path;  // bytes
  ContentKind kind = ContentKind::kFile;
  Cid cid;
  uint64_t size_bytes = 0;  // of a file's content or a symlink's target
  uint64_t content_id = 0;
  uint64_t piece_id = 0;
  uint64_t car_offset_bytes = 0;  // of the root's section
  uint64_t car_bytes = 0;         // of the root's section
};

// Consecutive sections of a CAR that belong to a file: leaves of equal length one behind the other, or one inner node.
struct CatalogueRange {
  uint64_t piece_id = 0;
  uint64_t file_offset_bytes = 0;  // first byte of the file that is here or, for an inner node, below it
  uint64_t file_bytes = 0;
  uint64_t car_offset_bytes = 0;
  uint64_t car_bytes = 0;
  uint64_t leaf_bytes = 0;     // file content in each section but the last; 0 for an inner node
  uint64_t section_bytes = 0;  // length of each section but the last
  bool is_known = true;        // false: no piece of this catalogue holds `cid`
  Cid cid;                     // of the missing subtree
};

// Thread-compatible. Every answer is read from one state of the catalogue at a time.
class CatalogueReader {
 public:
  using EntryVisitor = std::function<Status(const CatalogueEntry& entry)>;

  // Errors: as open_catalogue_to_read.
  static Result<CatalogueReader> open(const std::string& path);

  // Everything at exactly this path, in all pieces, ordered by piece. A path below a directory that a piece links to
  // and does not hold is looked for where that directory stands (parts of a DAG). Directories that stand for an item
  // in parts are left out where the item itself is there.
  Result<std::vector<CatalogueEntry>> find_path(std::string_view path);
  // The same without what only other pieces' links lead to, and with directories that stand for an item in parts.
  Result<std::vector<CatalogueEntry>> entries_at(std::string_view path);
  // Whether a directory only stands in its piece for an item in parts: it has nothing but parts.
  Result<bool> is_stand_in(const CatalogueEntry& directory);
  // What an entry links to, or is itself, and its piece does not hold. Without what is below entries of a directory.
  Result<std::vector<Cid>> links_out_of(const CatalogueEntry& entry);
  // The same of everything at and below a path, in every piece.
  Status visit_links_below(std::string_view path,
                           const std::function<Status(uint64_t piece_id, const CidView& cid)>& visit);
  // Files and symlinks, but no parts of files, whose path begins with `prefix` (bytes, not components), until the
  // visitor fails.
  Status visit_prefix(std::string_view prefix, const EntryVisitor& visit);
  // Everything whose root is this block, in either spelling of a CID (v0 or v1), once for each path. A content without
  // a path (below a node that is no UnixFS) comes once with its nearest path.
  Result<std::vector<CatalogueEntry>> find_cid(const Cid& cid);
  // By piece CID v1 or v2. Errors: kInvalidArgument (config) for text that is none.
  Result<std::optional<CataloguePiece>> find_piece(std::string_view piece_cid);
  Result<std::vector<CataloguePiece>> pieces_with_root(const Cid& root);

  // Where bytes [begin, end) of a file stand, with the inner nodes above them, in the order of the DAG. What its own
  // piece leaves external (parts, known blocks) is looked for in other pieces, up to 64 levels of such links.
  Result<std::vector<CatalogueRange>> ranges_of(const CatalogueEntry& file, uint64_t begin, uint64_t end);

  // Errors: kCorrupt (source) where the catalogue has no such piece.
  Result<CataloguePiece> piece(uint64_t piece_id);
  Result<std::vector<CatalogueBatch>> batches_of(uint64_t piece_id);
  Result<std::vector<CatalogueDeal>> deals_of(uint64_t piece_id);
  // The parts of items that receipts of the piece name.
  Result<std::vector<CataloguePart>> parts_of(uint64_t piece_id);

  Database& database() { return database_; }

 private:
  explicit CatalogueReader(Database database) : database_(std::move(database)) {}

  Result<Statement*> statement(std::string_view sql);
  Result<std::optional<uint64_t>> directory_id(std::string_view path);
  // Whether a piece that does not hold this block links to it.
  Result<bool> is_linked_externally(const Cid& cid);
  Result<std::vector<CatalogueEntry>> contents_with(const Cid& cid);
  Status add_ranges(const CatalogueEntry& file, uint64_t file_begin, uint64_t begin, uint64_t end, unsigned depth,
                    std::vector<CatalogueRange>& ranges);
  Result<std::vector<CatalogueEntry>> find_below_external(std::string_view path, unsigned depth);

  Database database_;
  std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace piecework::engine
