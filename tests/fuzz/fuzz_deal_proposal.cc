// Proposals, addresses, publish messages, multiaddresses and key files: what is read has one encoding, and is written
// again the same.
#include <algorithm>
#include <vector>

#include "engine/deal/deal_signer.h"
#include "engine/deal/multiaddr.h"
#include "engine/deal/publish_message.h"
#include "io/http_client.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

void check_proposals(ByteSpan bytes) {
  if (const Result<DealProposal> proposal = decode_deal_proposal(bytes)) {
    PIECEWORK_CHECK(std::ranges::equal(encode_deal_proposal(*proposal), bytes));
    // Whatever may be signed is read back as it was.
    if (check_deal_proposal(*proposal)) PIECEWORK_CHECK(proposal->label.content.size() <= kDealLabelBytesMax);
  }
  if (const Result<SignedProposal> signed_proposal = decode_signed_proposal(bytes)) {
    PIECEWORK_CHECK(std::ranges::equal(encode_signed_proposal(*signed_proposal), bytes));
    PIECEWORK_CHECK(!signed_proposal_cid(*signed_proposal).empty());
  }
}

void check_addresses(ByteSpan bytes) {
  if (const Result<Address> address = Address::decode(bytes)) {
    PIECEWORK_CHECK(std::ranges::equal(address->bytes(), bytes));
    const Result<Address> again = Address::parse(address->text('t'), 't');
    PIECEWORK_CHECK(again.has_value() && *again == *address);
  }
  if (const Result<Address> address = Address::parse(as_text(bytes), 'f')) {
    PIECEWORK_CHECK(address->text('f') == as_text(bytes));
  }
}

void check_published(ByteSpan bytes) {
  const Result<PublishedDeals> published = decode_publish_return(bytes);
  if (published) PIECEWORK_CHECK(published->is_taken.size() <= 8192);
  const Result<std::vector<SignedProposal>> deals = decode_publish_parameters(bytes);
  if (deals && !deals->empty()) {
    const std::vector<uint8_t> nobody_taken{0x82, 0x80, 0x40};
    const Result<PublishResult> found = find_published(bytes, nobody_taken, signed_proposal_cid(deals->front()));
    PIECEWORK_CHECK(found.has_value() && found->verdict == PublishVerdict::kNotTaken);
  }
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const ByteSpan bytes(data, data_bytes);
  engine::check_proposals(bytes);
  engine::check_addresses(bytes);
  engine::check_published(bytes);
  // The URL of a provider is one that may be spoken to, or is refused; it has no parts that nobody meant.
  if (const std::optional<std::string> url = engine::http_url_of_multiaddress(bytes)) {
    PIECEWORK_CHECK(url->find_first_of("@?#\\ ") == std::string::npos);
  }
  static_cast<void>(engine::parse_lotus_key(as_text(bytes)));
  static_cast<void>(engine::parse_deal_uuid(as_text(bytes)));
  static_cast<void>(engine::parse_deal_ulid(as_text(bytes)));
  return 0;
}
