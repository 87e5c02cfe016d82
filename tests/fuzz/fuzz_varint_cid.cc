// Varints, CIDs in bytes and text, multibase, piece CIDs: what is accepted is written back the same, since every value
// has one form.
#include <algorithm>
#include <array>
#include <string>

#include "engine/codec/cid.h"
#include "engine/codec/multibase.h"
#include "engine/codec/piece_cid.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

void check_varint(ByteSpan bytes) {
  const DecodedVarint decoded = decode_varint(bytes);
  PIECEWORK_CHECK((decoded.status == VarintStatus::kOk) == (decoded.length_bytes > 0));
  if (decoded.status != VarintStatus::kOk) return;
  std::array<uint8_t, kVarintBytesMax> again;
  const uint8_t* end = encode_varint(again.data(), decoded.value);
  PIECEWORK_CHECK(std::ranges::equal(ByteSpan(again.data(), end), bytes.first(decoded.length_bytes)));
  PIECEWORK_CHECK(varint_bytes(decoded.value) == decoded.length_bytes);
}

void check_cid_bytes(ByteSpan bytes) {
  const Result<CidView> prefix = decode_cid_prefix(bytes);
  if (!prefix) return;
  PIECEWORK_CHECK(prefix->bytes.size() <= kCidBytesMax);
  const Result<CidView> whole = decode_cid(prefix->bytes);
  PIECEWORK_CHECK(whole.has_value());
  const Cid cid(*whole);
  const Result<Cid> parsed = parse_cid(cid.text());
  PIECEWORK_CHECK(parsed.has_value() && *parsed == cid);
  if (cid.view().version == 0) return;
  for (const std::string& text : {"B" + encode_base32_upper(cid.bytes()), "z" + encode_base58btc(cid.bytes())}) {
    const Result<Cid> other = parse_cid(text);
    PIECEWORK_CHECK(other.has_value() && *other == cid);
  }
}

void check_text(std::string_view text) {
  if (const Result<Cid> cid = parse_cid(text)) PIECEWORK_CHECK(parse_cid(cid->text()).value() == *cid);
  if (const auto bytes = decode_base58btc(text)) PIECEWORK_CHECK(encode_base58btc(*bytes) == text);
  if (const auto bytes = decode_base32_upper(text)) PIECEWORK_CHECK(encode_base32_upper(*bytes) == text);
  const Result<PieceCid> piece = parse_piece_cid(text);
  if (!piece) return;
  const std::string again =
      piece->version == 1 ? piece_cid_v1_text(piece->root) : piece_cid_v2_text(piece->root, piece->payload_bytes);
  PIECEWORK_CHECK(again == parse_cid(text).value().text());
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  const piecework::ByteSpan bytes(data, data_bytes);
  piecework::engine::check_varint(bytes);
  piecework::engine::check_cid_bytes(bytes);
  piecework::engine::check_text(piecework::as_text(bytes));
  return 0;
}
