// Pin records: whatever is accepted has a whole CID and a name that lie inside the record, and is accepted again.
#include "engine/store/kubo_pins.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const ByteSpan record(data, data_bytes);
  const Result<engine::PinRecord> pin = engine::decode_pin_record(record);
  if (!pin) {
    PIECEWORK_CHECK(pin.error().code == ErrorCode::kCorrupt);
    return 0;
  }
  const auto is_inside = [record](ByteSpan part) {
    return part.data() >= record.data() && part.data() + part.size() <= record.data() + record.size();
  };
  PIECEWORK_CHECK(is_inside(pin->cid.bytes) && engine::decode_cid(pin->cid.bytes).has_value());
  PIECEWORK_CHECK(pin->name.empty() || (is_inside(as_bytes(pin->name)) && is_utf8(pin->name)));
  // A record ends where it ends: without its last byte it is none.
  PIECEWORK_CHECK(!engine::decode_pin_record(record.first(record.size() - 1)));
  return 0;
}
