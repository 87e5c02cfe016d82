#include "engine/deal/wire_check.h"

#include <functional>
#include <string_view>

#include "engine/deal/deal_price.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/deal_signer.h"

namespace piecework::engine {
namespace {

// Of the secret key of 32 bytes 01. Made with iso-filecoin 7.4.7 and @noble/curves; other implementations and the
// production market actor agree: tests/vectors/deals/PROVENANCE.md.
constexpr std::string_view kClient = "f1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi";
constexpr std::string_view kProposalHex =
    "8bd82a5828000181e203922020077e5fde35c50a9303a55009e3498a4ebedff39c42b710b730d8ec7ac7afa63e1b00000008"
    "00000000f4550154a9b54edcb9f0072e768f79e0ec8f2cbb6bde054300e807783b62616679626569676479727a7435736670"
    "3775646d37687537367568377932366e6633656675796c71616266336f636c67747179353566627a64691a004c4b401a0062"
    "b1a040480011c37937e0800040";
constexpr std::string_view kProposalCid = "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu";
constexpr std::string_view kOnchainCid = "bafy2bzaceb3dufepizgyvjm74vymy44txpb4oh65wwceerfiokxcwewus4weg";
constexpr std::string_view kSignedHex =
    "828bd82a5828000181e203922020077e5fde35c50a9303a55009e3498a4ebedff39c42b710b730d8ec7ac7afa63e1b000000"
    "0800000000f4550154a9b54edcb9f0072e768f79e0ec8f2cbb6bde054300e807783b62616679626569676479727a74357366"
    "703775646d37687537367568377932366e6633656675796c71616266336f636c67747179353566627a64691a004c4b401a00"
    "62b1a040480011c37937e0800040584201e5b148fb0e50a7f3b91206b2872ad92d10d6be3174e39061dcbe5ca2e143119052"
    "e9b235051e990c3824f160e4b02edc7b916523de3737a5771dda4a6872620501";
constexpr std::string_view kSignedCid = "bafyreic4b2clkvqtzzjee4m6wy7vdioykxhmy7d2xlnb2g6rdlipdui4ni";
constexpr std::string_view kAuthDigestHex = "eb1d5abfe9890cc1c4e0864eb3be0bad1a8618944feaf30aff6fb3ecdbfb2fc5";
constexpr std::string_view kAuthorization =
    "CurioAuth secp256k1:AVSptU7cufAHLnaPeeDsjyy7a94F:AVNoFQa8FmUj6FKnJiZe9g3yB0QomVyxlOx3n2j9v1m3SlBj9ww"
    "dkNyz2YsaIQ07NANSTc/Z6vdZ+nFCnpimokgA";
// The header is for POST /market/mk20/deal at 2026-08-20T12:34:00Z.
constexpr int64_t kAuthTime_s = 1'787'229'240;
constexpr uint64_t kClientId = 200;

DealProposal golden_proposal() {
  DealProposal proposal;
  const Result<Cid> piece_cid = parse_cid("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq");
  if (piece_cid) proposal.piece_cid = *piece_cid;
  const Result<Address> client = Address::parse(kClient, 'f');
  if (client) proposal.client = *client;
  proposal.padded_bytes = uint64_t{32} << 30;
  proposal.provider = Address::of_actor(1000);
  proposal.label.content = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
  proposal.start_epoch = 5'000'000;
  proposal.end_epoch = 6'468'000;
  proposal.provider_collateral = AttoFil(5'000'000'000'000'000);
  return proposal;
}

// "refused" where the signer does not sign the golden proposal with `change`.
std::string outcome_of(KeySigner& signer, const std::function<void(DealProposal&)>& change) {
  DealProposal proposal = golden_proposal();
  change(proposal);
  return signer.sign(proposal, Address()) ? "signed" : "refused";
}

// "refused" where `proposal_hex` with its first byte, the number of fields, changed is not read.
std::string outcome_with_field_count(uint8_t head) {
  std::vector<uint8_t> bytes = encode_deal_proposal(golden_proposal());
  bytes[0] = head;
  return decode_deal_proposal(bytes) ? "read" : "refused";
}

// "refused" where a deal whose price per epoch is the total is not signed.
std::string outcome_with_total_for_price() {
  const DealProposal proposal = golden_proposal();
  const Epoch duration_epochs = proposal.end_epoch - proposal.start_epoch;
  const Result<DealPrice> price = price_of(AttoFil(1'000'000), proposal.padded_bytes, duration_epochs);
  if (!price) return price.error().message;
  return check_price(*price, proposal.padded_bytes, proposal.start_epoch, proposal.end_epoch, price->total) ? "signed"
                                                                                                            : "refused";
}

}  // namespace

std::vector<WireCheck> check_wire() {
  std::vector<WireCheck> checks;
  const auto check = [&checks](std::string_view name, std::string_view expected, std::string actual) {
    checks.push_back({std::string(name), std::string(expected), std::move(actual)});
  };
  SecretKey key;
  for (uint8_t& byte : key.writable()) byte = 1;
  Result<KeySigner> signer = KeySigner::make(std::move(key));
  if (!signer) {
    check("wallet address", kClient, signer.error().message);
    return checks;
  }
  const DealProposal proposal = golden_proposal();
  check("wallet address", kClient, signer->address().text('f'));
  check("proposal", kProposalHex, to_hex(encode_deal_proposal(proposal)));
  check("proposal CID as signed", kProposalCid, proposal_cid(proposal).text());
  check("proposal CID on chain", kOnchainCid, onchain_proposal_cid(proposal, Address::of_actor(kClientId)).text());
  const Result<SignedProposal> signed_proposal = signer->sign(proposal, Address());
  check("signed proposal", kSignedHex,
        signed_proposal ? to_hex(encode_signed_proposal(*signed_proposal)) : signed_proposal.error().message);
  check("signed proposal CID", kSignedCid, signed_proposal ? signed_proposal_cid(*signed_proposal).text() : "");
  const Mk20Request request{"POST", "/market/mk20/deal", kAuthTime_s};
  check("MK20 digest", kAuthDigestHex, to_hex(mk20_auth_digest(signer->address(), request)));
  check("MK20 header", kAuthorization, signer->sign(request).value_or("no header"));
  check("ten fields", "refused", outcome_with_field_count(0x8a));
  check("twelve fields", "refused", outcome_with_field_count(0x8c));
  check("label of 257 bytes", "refused",
        outcome_of(*signer, [](DealProposal& changed) { changed.label.content.assign(257, 'x'); }));
  check("client f410", "refused", outcome_of(*signer, [](DealProposal& changed) {
          const Result<Address> delegated = Address::parse("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", 'f');
          if (delegated) changed.client = *delegated;
        }));
  check("total for the price per epoch", "refused", outcome_with_total_for_price());
  return checks;
}

}  // namespace piecework::engine
