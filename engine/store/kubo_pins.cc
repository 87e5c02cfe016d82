// Pin records and the roots of a repository; see kubo_pins.h. Lists of roots are roots_file.cc.
#include "engine/store/kubo_pins.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "engine/codec/cbor_reader.h"
#include "engine/store/leveldb_reader.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kPinPrefix = "/pins/pin/";
constexpr std::string_view kMfsRootKey = "/local/filesroot";
constexpr std::string_view kAskForRoots =
    "name the roots instead: `ipfs pin ls --type=recursive -q > FILE`, then --roots FILE";

// The fields of a pin; each may come once.
enum PinField : uint8_t { kCid = 1, kMetadata = 2, kMode = 4, kName = 8 };

PinField field_of(std::string_view key) {
  if (key == "cid") return kCid;
  if (key == "metadata") return kMetadata;
  if (key == "mode") return kMode;
  if (key == "name") return kName;
  return PinField{};
}

// Passes over one item of any kind.
Status skip_item(CborReader& reader) {
  std::array<uint64_t, kPinDepthMax> items_left;  // of the containers that are open
  size_t depth = 0;
  do {
    if (depth > 0 && items_left[depth - 1] == 0) {
      --depth;
      continue;
    }
    if (depth > 0) --items_left[depth - 1];
    PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
    switch (head.major) {
      case CborMajor::kBytes:
      case CborMajor::kText:
        PIECEWORK_TRY(reader.read_content(head));
        break;
      case CborMajor::kArray:
      case CborMajor::kMap:
        if (depth == kPinDepthMax) return reader.corrupt("metadata nested too deep");
        if (head.argument > kPinRecordBytesMax) return reader.corrupt("more items than the record has bytes");
        items_left[depth++] = head.major == CborMajor::kMap ? 2 * head.argument : head.argument;
        break;
      case CborMajor::kTag:
        return reader.corrupt("a tag in a pin");
      case CborMajor::kUnsigned:
      case CborMajor::kNegative:
      case CborMajor::kSimple:
        break;
    }
  } while (depth > 0);
  return {};
}

Status read_field(CborReader& reader, PinField field, PinRecord& pin) {
  if (field == kMetadata) return skip_item(reader);
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (field == kMode) {
    if (head.major != CborMajor::kUnsigned || head.argument > 1) return reader.corrupt("a mode other than 0 and 1");
    pin.mode = static_cast<PinMode>(head.argument);
    return {};
  }
  if (field == kName) {
    if (head.major != CborMajor::kText) return reader.corrupt("a name that is no text");
    PIECEWORK_ASSIGN(const ByteSpan name, reader.read_content(head));
    pin.name = as_text(name);
    return {};
  }
  if (head.major != CborMajor::kBytes) return reader.corrupt("a CID that is no byte string");
  PIECEWORK_ASSIGN(const ByteSpan bytes, reader.read_content(head));
  const Result<CidView> cid = decode_cid(bytes);
  if (!cid) return reader.corrupt("its CID: " + cid.error().message);
  pin.cid = *cid;
  return {};
}

tl::unexpected<Error> ask_for_roots(Error error) {
  if (error.side == ErrorSide::kSource) error.message += fmt::format("; {}", kAskForRoots);
  return tl::unexpected<Error>(std::move(error));
}

Status visit_database(const LeveldbReader& database, const KuboRootVisitor& visit) {
  const auto visit_pin = [&visit](std::string_view key, ByteSpan value) -> Status {
    const Result<PinRecord> pin = decode_pin_record(value);
    if (!pin) {
      return ask_for_roots({pin.error().code,
                            pin.error().side,
                            0,
                            fmt::format("the pin '{}': {}", printable(key), pin.error().message),
                            {}});
    }
    const bool is_direct = pin->mode == PinMode::kDirect;
    return visit({pin->cid, is_direct ? KuboRootKind::kDirectPin : KuboRootKind::kRecursivePin, pin->name});
  };
  PIECEWORK_TRY(database.visit_prefix(kPinPrefix, visit_pin));
  const Result<std::optional<std::string>> mfs_root = database.get(kMfsRootKey);
  if (!mfs_root) return ask_for_roots(mfs_root.error());
  if (!mfs_root->has_value()) return {};
  const Result<CidView> cid = decode_cid(as_bytes(**mfs_root));
  if (!cid) {
    return ask_for_roots({cid.error().code,
                          cid.error().side,
                          0,
                          fmt::format("the MFS root '{}': {}", kMfsRootKey, cid.error().message),
                          {}});
  }
  return visit({*cid, KuboRootKind::kMfsRoot, {}});
}

}  // namespace

Result<PinRecord> decode_pin_record(ByteSpan record) {
  CborReader reader(record);
  if (record.size() > kPinRecordBytesMax) return reader.corrupt(fmt::format("a pin of {} bytes", record.size()));
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kMap) return reader.corrupt("a pin that is no map");
  PinRecord pin;
  uint8_t seen = 0;
  for (uint64_t i = 0; i < head.argument; ++i) {
    PIECEWORK_ASSIGN(const std::string_view key, reader.read_text());
    const PinField field = field_of(key);
    if (field == PinField{}) return reader.corrupt(fmt::format("a pin with a field '{}'", printable(key)));
    if ((seen & field) != 0) return reader.corrupt(fmt::format("a pin with its field '{}' twice", key));
    seen |= field;
    PIECEWORK_TRY(read_field(reader, field, pin));
  }
  if (!reader.at_end()) return reader.corrupt("bytes after a pin");
  if ((seen & kCid) == 0 || (seen & kMode) == 0) return reader.corrupt("a pin without cid or mode");
  return pin;
}

Status visit_kubo_roots(const KuboRepo& repo, const std::string& scratch_directory, const KuboRootVisitor& visit) {
  const KuboMount& mount = repo.datastore().root;
  if (mount.type != "levelds") {
    return ask_for_roots({ErrorCode::kUnsupported,
                          ErrorSide::kSource,
                          0,
                          fmt::format("'{}' keeps its pins in a datastore of type '{}', not in a leveldb",
                                      printable(repo.path()), printable(mount.type)),
                          {}});
  }
  const Result<LeveldbReader> database = LeveldbReader::open(repo.mount_path(mount), scratch_directory);
  if (!database) return ask_for_roots(database.error());
  return visit_database(*database, visit);
}

}  // namespace piecework::engine
