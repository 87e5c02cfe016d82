// Proofs: what decodes encodes to the same bytes again, and a check of any bytes comes to an end. The input is the
// length of the data in two bytes, the data and a proof without its seal, which is put on here.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "engine/proof/check_proof.h"
#include "engine/proof/proof_format.h"
#include "tests/support/memory_data.h"

using namespace piecework;
using namespace piecework::engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  if (input_bytes < 2) return 0;
  const ByteSpan rest(input + 2, input_bytes - 2);
  const size_t data_bytes = std::min<size_t>(input[0] | input[1] << 8, rest.size());
  std::vector<uint8_t> proof(rest.begin() + static_cast<ptrdiff_t>(data_bytes), rest.end());
  seal_proof(proof);
  const auto decoded = decode_proof(proof);
  if (decoded && encode_proof(*decoded) != proof) std::abort();
  piecework::testing::MemoryData data({rest.begin(), rest.begin() + static_cast<ptrdiff_t>(data_bytes)});
  const auto checked = check_proof(proof, data);
  if (checked && !decoded) std::abort();
  return 0;
}
