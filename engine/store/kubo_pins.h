// The roots of a kubo repository, read offline from its leveldb, and lists of roots in text. Source: boxo
// pinning/pinner/dspinner/pin.go, kubo core/node (the MFS root), formats.md 10.
//
//   /pins/pin/<id>      CBOR map {cid: bytes, metadata?: map, mode: 0 recursive | 1 direct, name?: text}
//   /local/filesroot    the CID of the MFS root, as bytes
//
// What is pinned indirectly is below these. The pinner's indices (/pins/index) are not looked at: kubo makes them anew
// from the records where they are in doubt.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/codec/cid.h"
#include "engine/store/kubo_repo.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kPinRecordBytesMax = 1 << 20;
inline constexpr size_t kPinDepthMax = 32;  // of the metadata, which is skipped

enum class PinMode : uint8_t { kRecursive = 0, kDirect = 1 };

// A pin where it stands; valid as long as the record.
struct PinRecord {
  CidView cid;
  PinMode mode = PinMode::kRecursive;
  std::string_view name;  // "" where it has none
};

// Decodes a pin's value. Keys in any order (kubo writes them in that of its struct), none twice, no other ones; heads
// as strict as dag-cbor's. Never recurses, takes no memory. Errors: kCorrupt with the offset (side kSource).
Result<PinRecord> decode_pin_record(ByteSpan record);

enum class KuboRootKind : uint8_t { kRecursivePin, kDirectPin, kMfsRoot };

// Views are valid during the visit. A direct pin means its one block, the others everything below too.
struct KuboRoot {
  CidView cid;
  KuboRootKind kind = KuboRootKind::kRecursivePin;
  std::string_view name;  // of a pin that has one
};
using KuboRootVisitor = std::function<Status(const KuboRoot& root)>;

// Visits every pin in the order of its identifier (random, but fixed with the pin), then the MFS root where there is
// one. The same CID may come as a pin and as the MFS root. `scratch_directory` must exist; see leveldb_reader.h.
// Errors: kUnavailable where the daemon runs, kUnsupported where the datastore is no leveldb, kCorrupt; each says how
// to name the roots instead (--roots FILE). Side kDestination: of the scratch directory.
Status visit_kubo_roots(const KuboRepo& repo, const std::string& scratch_directory, const KuboRootVisitor& visit);

using RootLineVisitor = std::function<Status(const Cid& cid, uint64_t line_number)>;

// Visits the CIDs of a list of roots, one a line, in any multibase; blank lines and lines that begin with # are passed
// over, white space around a CID too. Lines count from 1; a CID that comes twice is visited twice. Memory does not grow
// with the file. Errors, side kConfig: of the file; kInvalidArgument, naming file and line.
Status visit_roots_file(const std::string& path, const RootLineVisitor& visit);

}  // namespace piecework::engine
