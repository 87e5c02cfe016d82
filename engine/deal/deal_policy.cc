// The only user of toml++.
#include "engine/deal/deal_policy.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts of malformed text what it then refuses with a message: the message is wanted.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "engine/deal/toml_guard.h"

namespace piecework::engine {
namespace {

constexpr Epoch kDurationMin = 180 * kEpochsPerDay;      // builtin-actors: DEAL_MIN_DURATION
constexpr Epoch kF05DurationMax = 1278 * kEpochsPerDay;  // DEAL_MAX_DURATION, and how far ahead a sector may end
constexpr Epoch kDurationMax = 5 * 365 * kEpochsPerDay;  // the longest term of an allocation
constexpr Epoch kSealEpochs = kEpochsPerDay / 3;         // what providers ask for unless they say else
constexpr size_t kTextBytesMax = 4096;
constexpr size_t kListMax = 64;

tl::unexpected<Error> refuse(std::string_view path, const toml::source_region& place, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("'{}' line {}: {}", printable(path), place.begin.line, what));
}

// Names that stand in paths of reports and in tables: no room for surprises.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

// Reads one table of the file; a key that nobody asked for is an error. Thread-compatible.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string_view path, std::string name)
      : table_(table), path_(path), name_(std::move(name)) {}

  bool has(std::string_view key) const { return table_.contains(key); }

  Result<std::string> text(std::string_view key) {
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    return text_of(*node, key);
  }
  Result<std::string> text_or(std::string_view key, std::string_view fallback) {
    if (!has(key)) return std::string(fallback);
    return text(key);
  }
  Result<std::string> word(std::string_view key) {
    PIECEWORK_ASSIGN(std::string value, text(key));
    if (!is_name(value)) return bad(key, "expected 1 to 64 letters, digits, '.', '-' or '_'");
    return value;
  }
  Result<int64_t> number(std::string_view key, int64_t smallest, int64_t largest) {
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    const auto value = node->value_exact<int64_t>();
    if (!value || *value < smallest || *value > largest) {
      return bad(key, fmt::format("expected a whole number from {} to {}", smallest, largest));
    }
    return *value;
  }
  Result<int64_t> number_or(std::string_view key, int64_t smallest, int64_t largest, int64_t fallback) {
    if (!has(key)) return fallback;
    return number(key, smallest, largest);
  }
  Result<bool> flag_or(std::string_view key, bool fallback) {
    if (!has(key)) return fallback;
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    const auto value = node->value_exact<bool>();
    if (!value) return bad(key, "expected true or false");
    return *value;
  }
  Result<AttoFil> amount(std::string_view key) {
    PIECEWORK_ASSIGN(const std::string value, text(key));
    const Result<AttoFil> parsed = parse_atto_fil(value, key);
    if (!parsed) return bad(key, parsed.error().message);
    return *parsed;
  }
  Result<std::vector<std::string>> list(std::string_view key) {
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    const toml::array* const array = node->as_array();
    if (array == nullptr || array->empty() || array->size() > kListMax) {
      return bad(key, fmt::format("expected a list of 1 to {} texts", kListMax));
    }
    std::vector<std::string> values;
    for (const toml::node& element : *array) {
      PIECEWORK_ASSIGN(std::string value, text_of(element, key));
      values.push_back(std::move(value));
    }
    return values;
  }
  Result<TableReader> table(std::string_view key) {
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    if (node->as_table() == nullptr) return bad(key, fmt::format("expected a table [{}]", key));
    return TableReader(*node->as_table(), path_, fmt::format("[{}] ", key));
  }
  Result<std::vector<TableReader>> tables(std::string_view key, size_t count_max) {
    PIECEWORK_ASSIGN(const toml::node* node, required(key));
    const toml::array* const array = node->as_array();
    if (array == nullptr || array->empty() || array->size() > count_max) {
      return bad(key, fmt::format("expected 1 to {} tables [[{}]]", count_max, key));
    }
    std::vector<TableReader> readers;
    for (const toml::node& element : *array) {
      if (element.as_table() == nullptr) return bad(key, fmt::format("expected tables [[{}]]", key));
      readers.emplace_back(*element.as_table(), path_, fmt::format("[[{}]] ", key));
    }
    return readers;
  }

  // REQUIRES: every known key was asked for.
  Status finish() const {
    for (const auto& [key, node] : table_) {
      if (asked_.contains(std::string(key.str()))) continue;
      return refuse(path_, key.source(), fmt::format("{}unknown key '{}'", name_, printable(key.str().substr(0, 64))));
    }
    return {};
  }
  tl::unexpected<Error> bad(std::string_view key, std::string_view what) const {
    const toml::node* const node = table_.get(key);
    return refuse(path_, node != nullptr ? node->source() : table_.source(), fmt::format("{}{}: {}", name_, key, what));
  }

 private:
  Result<const toml::node*> required(std::string_view key) {
    asked_.insert(std::string(key));
    const toml::node* const node = table_.get(key);
    if (node == nullptr) return bad(key, "is missing");
    return node;
  }
  Result<std::string> text_of(const toml::node& node, std::string_view key) const {
    const auto value = node.value_exact<std::string>();
    const bool is_plain = value && !value->empty() && value->size() <= kTextBytesMax && printable(*value) == *value;
    if (!is_plain) return bad(key, fmt::format("expected text in quotes of 1 to {} bytes", kTextBytesMax));
    return *value;
  }

  const toml::table& table_;
  std::string_view path_;
  std::string name_;
  std::set<std::string> asked_;
};

bool is_provider_id(std::string_view text, char prefix) {
  return text.size() >= 3 && text.size() <= 22 && text[0] == prefix && text[1] == '0' &&
         text.find_first_not_of("0123456789", 2) == std::string_view::npos && (text[2] != '0' || text.size() == 3);
}

Result<SignerChoice> read_signer(TableReader table) {
  SignerChoice signer;
  const int given = int{table.has("key_file")} + int{table.has("command")} + int{table.has("rpc")};
  if (given != 1) return table.bad("key_file", "give one of key_file, command and rpc");
  if (table.has("key_file")) {
    PIECEWORK_ASSIGN(signer.reference, table.text("key_file"));
  } else if (table.has("rpc")) {
    signer.kind = SignerChoice::Kind::kRpc;
    PIECEWORK_ASSIGN(signer.reference, table.text("rpc"));
    PIECEWORK_ASSIGN(signer.token_file, table.text_or("token_file", ""));
  } else {
    signer.kind = SignerChoice::Kind::kCommand;
    PIECEWORK_ASSIGN(signer.command, table.list("command"));
    signer.reference = signer.command.front();
  }
  PIECEWORK_TRY(table.finish());
  return signer;
}

Result<PolicyCaps> read_caps(TableReader table) {
  PolicyCaps caps;
  PIECEWORK_ASSIGN(caps.price_per_gib_epoch, table.amount("price_per_gib_epoch"));
  PIECEWORK_ASSIGN(caps.deal, table.amount("deal"));
  PIECEWORK_ASSIGN(caps.day, table.amount("day"));
  PIECEWORK_ASSIGN(caps.campaign, table.amount("campaign"));
  PIECEWORK_TRY(table.finish());
  return caps;
}

Status read_chain(TableReader table, DealPolicy& policy) {
  PIECEWORK_ASSIGN(policy.chain_endpoints, table.list("endpoints"));
  PIECEWORK_ASSIGN(policy.chain_token_file, table.text_or("token_file", ""));
  if (policy.network.name == "devnet") {
    PIECEWORK_ASSIGN(policy.network.clock.genesis_s, table.number("genesis_s", 1, int64_t{1} << 40));
  }
  return table.finish();
}

// How the provider gets the pieces: what the file says, else from the policy's piece_url where there is one.
Status read_transfer(TableReader& table, const DealPolicy& policy, PolicyProvider& provider) {
  const bool can_pull = !policy.piece_url.empty() && provider.protocol != DealProtocol::kOffline;
  provider.transfer = can_pull ? DataTransfer::kPull : DataTransfer::kOffline;
  if (table.has("transfer")) {
    PIECEWORK_ASSIGN(const std::string name, table.text("transfer"));
    const std::optional<DataTransfer> known = parse_data_transfer(name);
    if (!known) return table.bad("transfer", "expected pull, push or offline");
    provider.transfer = *known;
  }
  if (provider.transfer == DataTransfer::kPull && !can_pull) {
    return table.bad("transfer", "to pull, a provider needs the policy's piece_url, and another protocol than offline");
  }
  if (provider.transfer == DataTransfer::kPush && provider.protocol != DealProtocol::kMk20) {
    return table.bad("transfer", "only providers by mk20 take an upload");
  }
  PIECEWORK_ASSIGN(provider.piece_token_file, table.text_or("piece_token_file", ""));
  if (!provider.piece_token_file.empty() && provider.transfer != DataTransfer::kPull) {
    return table.bad("piece_token_file", "is for providers that fetch pieces from piece_url");
  }
  return {};
}

// That the policy's epochs leave the provider time, and end where a deal of its protocol may.
Status read_seal_epochs(TableReader& table, const DealPolicy& policy, PolicyProvider& provider) {
  PIECEWORK_ASSIGN(provider.seal_epochs, table.number_or("seal_epochs", 0, kDurationMin, kSealEpochs));
  if (policy.start_delay_epochs < provider.seal_epochs) {
    return table.bad("seal_epochs",
                     fmt::format("is {}: start_delay_epochs, {}, leaves no time to ship and seal a piece",
                                 provider.seal_epochs, policy.start_delay_epochs));
  }
  const bool is_f05 = provider.protocol != DealProtocol::kMk20;
  if (is_f05 && policy.start_delay_epochs + policy.duration_epochs > kF05DurationMax) {
    return table.bad("protocol", fmt::format("deals by {} end at most {} epochs after they are signed: "
                                             "start_delay_epochs and duration_epochs are more",
                                             name_of(provider.protocol), kF05DurationMax));
  }
  return {};
}

Result<PolicyProvider> read_provider(TableReader table, const DealPolicy& policy) {
  PolicyProvider provider;
  PIECEWORK_ASSIGN(provider.id, table.text("id"));
  if (!is_provider_id(provider.id, policy.network.address_prefix)) {
    return table.bad("id", fmt::format("expected an ID address of {}, {}0 and digits", policy.network.name,
                                       policy.network.address_prefix));
  }
  PIECEWORK_ASSIGN(provider.owner, table.word("owner"));
  PIECEWORK_ASSIGN(provider.region, table.word("region"));
  PIECEWORK_ASSIGN(const std::string protocol, table.text("protocol"));
  const std::optional<DealProtocol> known = parse_deal_protocol(protocol);
  if (!known) return table.bad("protocol", "expected mk12, mk20, offline or command");
  provider.protocol = *known;
  if (*known == DealProtocol::kMk12 || *known == DealProtocol::kMk20) {
    PIECEWORK_ASSIGN(provider.url, table.text_or("url", ""));
  } else if (*known == DealProtocol::kCommand) {
    PIECEWORK_ASSIGN(provider.command, table.list("command"));
  }
  PIECEWORK_ASSIGN(provider.price_per_gib_epoch, table.amount("price_per_gib_epoch"));
  if (provider.price_per_gib_epoch > policy.caps.price_per_gib_epoch) {
    return table.bad("price_per_gib_epoch", "is more than the cap allows");
  }
  if (*known == DealProtocol::kMk20 && !provider.price_per_gib_epoch.is_zero()) {
    return table.bad("price_per_gib_epoch", "deals by mk20 carry no price: it has to be 0");
  }
  PIECEWORK_ASSIGN(const int64_t bytes_max, table.number_or("piece_bytes_max", 128, INT64_MAX, INT64_MAX));
  provider.piece_bytes_max = static_cast<uint64_t>(bytes_max);
  PIECEWORK_TRY(read_transfer(table, policy, provider));
  PIECEWORK_TRY(read_seal_epochs(table, policy, provider));
  PIECEWORK_TRY(table.finish());
  return provider;
}

Status read_epochs(TableReader& table, DealPolicy& policy) {
  PIECEWORK_ASSIGN(policy.duration_epochs, table.number("duration_epochs", kDurationMin, kDurationMax));
  PIECEWORK_ASSIGN(policy.start_delay_epochs, table.number("start_delay_epochs", 1, kDurationMin));
  PIECEWORK_ASSIGN(policy.renew_before_epochs, table.number("renew_before_epochs", 0, kDurationMax));
  PIECEWORK_ASSIGN(policy.repair_after_epochs, table.number("repair_after_epochs", 0, kDurationMax));
  if (policy.renew_before_epochs >= policy.duration_epochs) {
    return table.bad("renew_before_epochs", "is as long as the deal: each would be renewed at once");
  }
  return {};
}

Status read_providers(TableReader& table, DealPolicy& policy) {
  PIECEWORK_ASSIGN(const std::vector<TableReader> readers, table.tables("provider", kPolicyProvidersMax));
  std::set<std::string> ids;
  for (const TableReader& reader : readers) {
    PIECEWORK_ASSIGN(PolicyProvider provider, read_provider(reader, policy));
    if (!ids.insert(provider.id).second) return reader.bad("id", fmt::format("{} is there twice", provider.id));
    policy.providers.push_back(std::move(provider));
  }
  return {};
}

Result<DealPolicy> read_policy(TableReader table) {
  DealPolicy policy;
  PIECEWORK_ASSIGN(policy.name, table.word("name"));
  PIECEWORK_ASSIGN(const std::string network, table.text("network"));
  const std::optional<Network> known = find_network(network);
  if (!known) return table.bad("network", "expected mainnet, calibnet or devnet");
  policy.network = *known;
  PIECEWORK_ASSIGN(policy.client, table.text("client"));
  if (policy.client.size() < 3 || policy.client[0] != known->address_prefix || policy.client[1] == '0') {
    return table.bad("client",
                     fmt::format("expected a key's address of {}, {}1...", known->name, known->address_prefix));
  }
  constexpr int64_t kMost = int64_t{kCopiesMax};
  PIECEWORK_ASSIGN(const int64_t copies, table.number("copies", 1, kMost));
  PIECEWORK_ASSIGN(const int64_t owners, table.number_or("owners", 1, copies, 1));
  PIECEWORK_ASSIGN(const int64_t regions, table.number_or("regions", 1, copies, 1));
  PIECEWORK_ASSIGN(const int64_t load, table.number_or("max_pieces_per_provider", 1, INT64_MAX, INT64_MAX));
  policy.copies = static_cast<unsigned>(copies);
  policy.owners = static_cast<unsigned>(owners);
  policy.regions = static_cast<unsigned>(regions);
  policy.max_pieces_per_provider = static_cast<uint64_t>(load);
  PIECEWORK_TRY(read_epochs(table, policy));
  PIECEWORK_ASSIGN(policy.verified, table.flag_or("verified", false));
  PIECEWORK_ASSIGN(policy.piece_url, table.text_or("piece_url", ""));
  PIECEWORK_ASSIGN(TableReader signer, table.table("signer"));
  PIECEWORK_ASSIGN(policy.signer, read_signer(std::move(signer)));
  PIECEWORK_ASSIGN(TableReader caps, table.table("caps"));
  PIECEWORK_ASSIGN(policy.caps, read_caps(std::move(caps)));
  PIECEWORK_ASSIGN(TableReader chain, table.table("chain"));
  PIECEWORK_TRY(read_chain(std::move(chain), policy));
  PIECEWORK_TRY(read_providers(table, policy));
  PIECEWORK_TRY(table.finish());
  return policy;
}

}  // namespace

const PolicyProvider* DealPolicy::find_provider(std::string_view id) const {
  const auto found = std::find_if(providers.begin(), providers.end(),
                                  [&](const PolicyProvider& provider) { return provider.id == id; });
  return found == providers.end() ? nullptr : &*found;
}

Result<DealPolicy> parse_deal_policy(std::string_view text, std::string_view path) {
  if (text.size() > kPolicyBytesMax) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}': {} bytes, a policy has at most {}", printable(path), text.size(), kPolicyBytesMax));
  }
  if (const size_t line = find_refused_line(text); line != 0) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' line {}: no key or number of a policy has a dot, no text goes over several lines, "
                            "a table has a name, and all is ASCII",
                            printable(path), line));
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return refuse(path, parsed.error().source(), printable(parsed.error().description()));
  return read_policy(TableReader(parsed.table(), path, ""));
}

}  // namespace piecework::engine
