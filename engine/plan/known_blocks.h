// Which blocks of earlier pieces are known: what a plan may link to and leave out without losing anything.
//
// A block is *held* where a finished batch of a known directory has it as a section. That is not enough to leave it
// out, for then nothing below it is walked, and what is below it may be in no piece: a source may have missed blocks
// (--partial), the upper nodes of a join may be done before its parts are, and what an earlier plan took for known may
// be in a directory that is not given now. The rule:
//
//   The known blocks are the largest set of which every member is held, and every link of a member leads to a member.
//
// So whatever is below a known block is in finished pieces, in one or spread over many, and two incomplete batches can
// complete each other. The set is found from above: it begins as all that is held; then whatever has a block below it
// that its batch left external, for whatever reason, and that is not in the set itself, is taken out with everything
// above it; until a round finds nothing more. A batch that leaves nothing external is closed under links by itself, so
// only the others are looked at in a round; where nothing is missing, one round is all.
//
// What is known of a DAG's root follows the same rule, with blocks left out or not; then only blocks that some batch
// left external need to be remembered as held.
//
// An identity CID is never left out: it brings its block along.
//
// Memory: 25 bytes a block of the earlier pieces (cid_set.h); at most 85 for each that was taken out, and for each that
// a batch left external where only roots are asked for.
#pragma once

#include <vector>

#include "engine/codec/cid.h"
#include "engine/layout/layout_record.h"
#include "engine/store/cid_map.h"
#include "engine/store/cid_set.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// Thread-compatible; const members are safe for concurrent use.
class KnownBlocks {
 public:
  // `for_roots`: only roots are asked for.
  explicit KnownBlocks(bool for_roots = true) : for_roots_(for_roots) {}

  // The first passage through the records of every finished batch. In a set for roots it only finds what must be
  // remembered, and where there is such a block (needs_passage), a second one through all batches calls add_held.
  void add(const LayoutRecord& record);
  bool needs_passage() const { return for_roots_ && wanted_.size() > 0; }
  void add_held(const LayoutRecord& record);
  // All that is held was added.
  void seal() { held_.seal(); }

  // Whether the block and all below it are in earlier pieces. Always false in a set for roots.
  bool contains(const CidView& cid) const;
  // Of a held block: whether something below it is not.
  bool is_incomplete(ByteSpan cid) const { return incomplete_.find(cid).has_value(); }

  // A round's passage through the records of one batch, in order. REQUIRES: seal() was called.
  class Check {
   public:
    explicit Check(KnownBlocks& blocks) : blocks_(blocks) {}
    void add(const LayoutRecord& record);
    // The records are at their end. Whether anything was taken out.
    bool finish();

   private:
    struct Open {
      std::vector<uint8_t> cid;  // empty: a directory that Piecework made
      uint64_t children_left = 0;
      bool is_incomplete = false;
    };
    void close();
    bool is_known(const LayoutRecord& record) const;

    KnownBlocks& blocks_;
    std::vector<Open> open_;  // nodes whose children are not all through
    bool has_taken_out_ = false;
  };

 private:
  bool for_roots_;
  CidMap wanted_;  // for roots: what a batch left external
  CidSet held_;
  CidMap incomplete_;  // held, and taken out
};

// Leaves known blocks external (--known-grain block); roots are packed even so, for who asks for one has to leave it
// out himself. Thread-compatible.
class KnownExternal : public ExternalBlocks {
 public:
  // `blocks` outlives the object; null: nothing is known.
  explicit KnownExternal(const KnownBlocks* blocks) : blocks_(blocks) {}
  Status decide(const MetLink& link, VisitedBlock& block) override;

 private:
  const KnownBlocks* blocks_;
};

}  // namespace piecework::engine
