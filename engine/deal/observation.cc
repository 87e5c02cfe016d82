#include "engine/deal/observation.h"

#include <array>
#include <utility>

namespace piecework::engine {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 21> kVerdicts{{
    {Verdict::kPrepared, "prepared"},
    {Verdict::kWithdrawn, "withdrawn"},
    {Verdict::kSending, "sending"},
    {Verdict::kNotSent, "not_sent"},
    {Verdict::kAccepted, "accepted"},
    {Verdict::kRejected, "rejected"},
    {Verdict::kUnknown, "unknown"},
    {Verdict::kDataSent, "data_sent"},
    {Verdict::kClaimsKnown, "claims_known"},
    {Verdict::kClaimsAbsent, "claims_absent"},
    {Verdict::kClaimsFailed, "claims_failed"},
    {Verdict::kClaimsData, "claims_data"},
    {Verdict::kClaimsPublished, "claims_published"},
    {Verdict::kClaimsActive, "claims_active"},
    {Verdict::kOnChain, "on_chain"},
    {Verdict::kActive, "active"},
    {Verdict::kFaulty, "faulty"},
    {Verdict::kTerminated, "terminated"},
    {Verdict::kNotFound, "not_found"},
    {Verdict::kForeign, "foreign"},
    {Verdict::kUnclear, "unclear"},
}};

constexpr std::array<std::pair<ObservationSource, std::string_view>, 3> kSources{{
    {ObservationSource::kDriver, "driver"},
    {ObservationSource::kProvider, "provider"},
    {ObservationSource::kChain, "chain"},
}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  return "";
}

template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view name) {
  for (const auto& [value, entry] : table) {
    if (entry == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Verdict verdict) { return name_in(kVerdicts, verdict); }
std::string_view name_of(ObservationSource source) { return name_in(kSources, source); }
std::optional<Verdict> parse_verdict(std::string_view name) { return value_in<Verdict>(kVerdicts, name); }
std::optional<ObservationSource> parse_observation_source(std::string_view name) {
  return value_in<ObservationSource>(kSources, name);
}

}  // namespace piecework::engine
