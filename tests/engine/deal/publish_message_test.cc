// Which deal id a proposal got: return values as the market actor gives them, and hostile ones.
#include "engine/deal/publish_message.h"

#include <gtest/gtest.h>

#include "engine/codec/cbor_writer.h"
#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

SignedProposal proposal_for(Epoch start_epoch) {
  SignedProposal signed_proposal{golden_proposal(), std::vector<uint8_t>(66, 1)};
  signed_proposal.proposal.start_epoch = start_epoch;
  return signed_proposal;
}

std::vector<uint8_t> parameters_of(const std::vector<SignedProposal>& deals) {
  CborWriter writer;
  writer.array(1);
  writer.array(deals.size());
  for (const SignedProposal& deal : deals) writer.raw(encode_signed_proposal(deal));
  return writer.take();
}

std::vector<uint8_t> return_of(const std::vector<uint64_t>& ids, std::string_view bit_field_hex) {
  CborWriter writer;
  writer.array(2);
  writer.array(ids.size());
  for (const uint64_t id : ids) writer.unsigned_integer(id);
  writer.byte_string(from_hex(bit_field_hex));
  return writer.take();
}

TEST(PublishMessage, TheReturnValueOfTheRealActor) {
  // vectors.txt's proposal, published alone (deals.md 0).
  const PublishedDeals published = decode_publish_return(from_hex("828100410c")).value();
  EXPECT_EQ(published.ids, std::vector<uint64_t>{0});
  EXPECT_EQ(published.is_taken, std::vector<bool>{true});
}

TEST(PublishMessage, IdsByRank) {
  const std::vector<SignedProposal> deals{proposal_for(1), proposal_for(2), proposal_for(3), proposal_for(4)};
  const std::vector<uint8_t> parameters = parameters_of(deals);
  // Bits 1, 0, 1, 1 in RLE+: version 00, first bit 1, runs of 1, 1 (a bit each) and 2 (01, then 4 bits 0100).
  //   bits in order 0 0 1 1 1 0 1 0 1 0 0: bytes 01011100, 00000001
  const std::vector<uint8_t> returned = return_of({70, 71, 72}, "5c01");
  EXPECT_EQ(decode_publish_return(returned)->is_taken, (std::vector<bool>{true, false, true, true}));
  const std::optional<uint64_t> ids[] = {70, std::nullopt, 71, 72};
  for (size_t i = 0; i < deals.size(); ++i) {
    const PublishResult found = find_published(parameters, returned, signed_proposal_cid(deals[i])).value();
    EXPECT_EQ(found.verdict, ids[i] ? PublishVerdict::kPublished : PublishVerdict::kNotTaken) << i;
    EXPECT_EQ(found.deal_id, ids[i].value_or(0)) << i;
  }
  EXPECT_EQ(find_published(parameters, returned, signed_proposal_cid(proposal_for(5)))->verdict,
            PublishVerdict::kNotAmong);
  // Fewer ids than bits: the last proposal has none.
  EXPECT_FALSE(find_published(parameters, return_of({70, 71}, "5c01"), signed_proposal_cid(deals[3])));
}

TEST(PublishMessage, LongRunsAndEmptyFields) {
  EXPECT_TRUE(decode_publish_return(return_of({}, ""))->is_taken.empty());
  // A run of 300 ones: version 00, first bit 1, 00, varint ac 02; bits 0 0 1 0 0 00110101 01000000.
  EXPECT_EQ(decode_publish_return(return_of({}, "845500"))->is_taken, std::vector<bool>(300, true));
}

TEST(PublishMessage, HostileReturnValues) {
  for (const std::string_view bits : {
           "03",                        // another version
           "e4ffffffffffffffffffff01",  // a run without end
           "84ffffff0f",                // a run longer than any message
           "0420",                      // a run of no length, and more behind it
       }) {
    EXPECT_FALSE(decode_publish_return(return_of({1}, bits))) << bits;
  }
  for (const std::string_view hex :
       {"", "80", "8180", "83810041", "828100410c00", "82810020", "829bffffffffffffffff00", "82a0410c", "828120410c"}) {
    EXPECT_FALSE(decode_publish_return(from_hex(hex))) << hex;
  }
  const std::vector<uint8_t> parameters = parameters_of({proposal_for(1), proposal_for(2)});
  for (size_t length = 0; length < parameters.size(); ++length) {
    EXPECT_FALSE(decode_publish_parameters(ByteSpan(parameters).first(length))) << length;
  }
  EXPECT_EQ(decode_publish_parameters(parameters)->size(), 2U);
}

}  // namespace
}  // namespace piecework::engine
