#include "engine/deal/publish_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/cbor_reader.h"
#include "engine/deal/proposal_reader.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kDealsMax = 8192;  // of one message
constexpr uint64_t kBitsMax = 8192;

// Bits of a byte string, the lowest bit of the first byte first.
class BitReader {
 public:
  explicit BitReader(ByteSpan bytes) : bytes_(bytes) {}

  bool at_end() const { return next_ >= bytes_.size() * 8; }
  size_t left() const { return bytes_.size() * 8 - next_; }
  // Reads past the end as zeros, as go-bitfield does.
  uint64_t take(unsigned count) {
    uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i, ++next_) {
      if (!at_end() && (bytes_[next_ / 8] >> (next_ % 8) & 1) != 0) value |= uint64_t{1} << i;
    }
    return value;
  }

 private:
  ByteSpan bytes_;
  size_t next_ = 0;
};

tl::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("a publish message: {}", what));
}

Result<uint64_t> read_array(CborReader& reader, uint64_t count_max) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kArray || head.argument > count_max) return reader.corrupt("expected a short array");
  return head.argument;
}

// RLE+, version 0: 2 bits of version, 1 bit for the first run's value, then runs in turn: 1 (a single bit), 01 and 4
// bits, or 00 and a varint.
Result<std::vector<bool>> decode_rle_plus(ByteSpan bytes) {
  std::vector<bool> bits;
  if (bytes.empty()) return bits;
  BitReader reader(bytes);
  if (reader.take(2) != 0) return corrupt("a bit field of an unknown version");
  bool is_set = reader.take(1) == 1;
  while (!reader.at_end()) {
    uint64_t run = 1;
    if (reader.take(1) == 0) {
      if (reader.take(1) == 1) {
        run = reader.take(4);
      } else {
        run = 0;
        unsigned shift = 0;
        uint64_t byte = 0;
        do {
          if (shift > 56) return corrupt("a bit field with an endless run");
          byte = reader.take(8);
          run |= (byte & 0x7F) << shift;
          shift += 7;
        } while (byte >= 0x80);
        // The zeros that fill the last byte read as a run of no length.
        if (run == 0 && reader.at_end()) break;
      }
      if (run == 0) return corrupt("a bit field with an empty run");
    }
    if (run > kBitsMax - bits.size()) return corrupt("a bit field that is too long");
    bits.insert(bits.end(), static_cast<size_t>(run), is_set);
    is_set = !is_set;
  }
  return bits;
}

}  // namespace

Result<std::vector<SignedProposal>> decode_publish_parameters(ByteSpan cbor) {
  CborReader reader(cbor);
  PIECEWORK_ASSIGN(const uint64_t field_count, read_array(reader, 1));
  if (field_count != 1) return reader.corrupt("expected one field");
  PIECEWORK_ASSIGN(const uint64_t deal_count, read_array(reader, kDealsMax));
  std::vector<SignedProposal> deals;
  for (uint64_t i = 0; i < deal_count; ++i) {
    PIECEWORK_ASSIGN(SignedProposal deal, read_signed_proposal(reader));
    deals.push_back(std::move(deal));
  }
  if (!reader.at_end()) return reader.corrupt("bytes after the parameters");
  return deals;
}

Result<PublishedDeals> decode_publish_return(ByteSpan cbor) {
  CborReader reader(cbor);
  PIECEWORK_ASSIGN(const uint64_t field_count, read_array(reader, 2));
  if (field_count != 2) return reader.corrupt("expected two fields");
  PIECEWORK_ASSIGN(const uint64_t id_count, read_array(reader, kDealsMax));
  PublishedDeals published;
  for (uint64_t i = 0; i < id_count; ++i) {
    PIECEWORK_ASSIGN(const uint64_t id, read_cbor_unsigned(reader));
    published.ids.push_back(id);
  }
  PIECEWORK_ASSIGN(const ByteSpan bits, read_cbor_bytes(reader));
  if (!reader.at_end()) return reader.corrupt("bytes after the return value");
  PIECEWORK_ASSIGN(published.is_taken, decode_rle_plus(bits));
  return published;
}

Result<PublishResult> find_published(ByteSpan parameters, ByteSpan return_value, const Cid& signed_cid) {
  PIECEWORK_ASSIGN(const std::vector<SignedProposal> deals, decode_publish_parameters(parameters));
  PIECEWORK_ASSIGN(const PublishedDeals published, decode_publish_return(return_value));
  size_t rank = 0;
  for (size_t i = 0; i < deals.size(); ++i) {
    const bool is_taken = i < published.is_taken.size() && published.is_taken[i];
    if (signed_proposal_cid(deals[i]) == signed_cid) {
      if (!is_taken) return PublishResult{PublishVerdict::kNotTaken, 0};
      if (rank >= published.ids.size()) return corrupt("fewer ids than deals that were taken");
      return PublishResult{PublishVerdict::kPublished, published.ids[rank]};
    }
    rank += is_taken ? 1 : 0;
  }
  return PublishResult{PublishVerdict::kNotAmong, 0};
}

}  // namespace piecework::engine
