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
  auto reader = ProofReader::open(proof);
  const auto head = reader ? reader->head() : Result<ProofHead>(ProofHead());
  if (reader && head) {
    ProofWriter writer;
    writer.head(*head);
    const std::vector<uint8_t> encoded = writer.take();  // with a seal of its own
    const auto end = encoded.end() - kProofSealBytes;
    if (!std::equal(encoded.begin(), end, proof.begin(), proof.begin() + (end - encoded.begin()))) std::abort();
  }
  piecework::testing::MemoryData data({rest.begin(), rest.begin() + static_cast<ptrdiff_t>(data_bytes)});
  const auto checked = check_proof(proof, data);
  if (checked && (!reader || !head || checked->items.size() != head->claims.size())) std::abort();
  return 0;
}
