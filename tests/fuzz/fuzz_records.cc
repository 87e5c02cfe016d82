// The records of a plan: whatever decodes must encode to the same bytes again, and give the same digest.
#include <cstdint>
#include <cstdlib>

#include "engine/plan/record_codec.h"

using namespace piecework;
using namespace piecework::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  RecordDecoder decoder({data, length});
  kernels::Sha256 decoded_digest;
  kernels::Sha256 encoded_digest;
  std::vector<uint8_t> encoded;
  while (!decoder.at_end()) {
    const auto record = decoder.next(decoded_digest);
    if (!record) return 0;
    encode_record(*record, encoded, encoded_digest);
    if (decoded_digest.finish() != encoded_digest.finish()) std::abort();
  }
  if (encoded != std::vector<uint8_t>(data, data + length)) std::abort();
  return 0;
}
