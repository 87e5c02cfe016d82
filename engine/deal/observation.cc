#include "engine/deal/observation.h"

#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr NameTable<Verdict, 21> kVerdicts{{
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

constexpr NameTable<ObservationSource, 3> kSources{{
    {ObservationSource::kDriver, "driver"},
    {ObservationSource::kProvider, "provider"},
    {ObservationSource::kChain, "chain"},
}};

}  // namespace

std::string_view name_of(Verdict verdict) { return name_in(kVerdicts, verdict); }
std::string_view name_of(ObservationSource source) { return name_in(kSources, source); }
std::optional<Verdict> parse_verdict(std::string_view name) { return value_in(kVerdicts, name); }
std::optional<ObservationSource> parse_observation_source(std::string_view name) {
  return value_in(kSources, name);
}

}  // namespace piecework::engine
