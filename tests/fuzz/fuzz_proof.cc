// Proofs: the head, and each record and piece that decodes, encodes to the same bytes again, and a check of any bytes
// comes to an end. The input is the length of the data in two bytes, the data and a proof without its seal: it is put
// on here.
#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "engine/proof/check_proof.h"
#include "engine/proof/proof_format.h"
#include "tests/support/memory_data.h"

using namespace piecework;
using namespace piecework::engine;

namespace {

constexpr size_t kMagicBytes = 8;

// The fields that `writer` has must stand in the proof from `at_bytes` on. Returns where they end.
size_t expect_same(ByteSpan proof, size_t at_bytes, ProofWriter writer) {
  const std::vector<uint8_t> encoded = writer.take();  // with first bytes and a seal of its own
  const ByteSpan fields = ByteSpan(encoded).subspan(kMagicBytes, encoded.size() - kMagicBytes - kProofSealBytes);
  if (fields.size() > proof.size() - at_bytes) std::abort();
  if (!std::ranges::equal(fields, proof.subspan(at_bytes, fields.size()))) std::abort();
  return at_bytes + fields.size();
}

// How many records there are only a check tells: a piece is looked for behind the head and behind each record.
void check_encoding(ByteSpan proof, ProofReader reader, const ProofHead& head) {
  ProofWriter head_writer;
  head_writer.head(head);
  size_t at_bytes = expect_same(proof, kMagicBytes, std::move(head_writer));
  for (;;) {
    ProofReader ahead = reader;
    const auto piece_count = ahead.number("the pieces");
    const auto piece = piece_count ? ahead.piece() : Result<ProofPiece>(tl::unexpected<Error>(piece_count.error()));
    if (piece) {
      ProofWriter writer;
      writer.number(*piece_count);
      writer.piece(*piece);
      expect_same(proof, at_bytes, std::move(writer));
    }
    const auto record = reader.record();
    if (!record) return;
    ProofWriter writer;
    writer.record(*record);
    at_bytes = expect_same(proof, at_bytes, std::move(writer));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes) {
  if (input_bytes < 2) return 0;
  const ByteSpan rest(input + 2, input_bytes - 2);
  const size_t data_bytes = std::min<size_t>(input[0] | input[1] << 8, rest.size());
  std::vector<uint8_t> proof(rest.begin() + static_cast<ptrdiff_t>(data_bytes), rest.end());
  seal_proof(proof);
  auto reader = ProofReader::open(proof);
  const auto head = reader ? reader->head() : Result<ProofHead>(ProofHead());
  if (reader && head) check_encoding(proof, *reader, *head);
  piecework::testing::MemoryData data({rest.begin(), rest.begin() + static_cast<ptrdiff_t>(data_bytes)});
  const auto checked = check_proof(proof, data);
  if (checked && (!reader || !head || checked->items.size() != head->claims.size())) std::abort();
  return 0;
}
