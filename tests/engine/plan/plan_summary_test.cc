// Options of a plan as JSON: what is not of this version is refused, whatever a number in it is.
#include "engine/plan/plan_summary.h"

#include <gtest/gtest.h>

#include <string>

namespace piecework::engine {
namespace {

// The JSON of `summary` with a number in place of what stands at `key`.
std::string with_number(const PlanSummary& summary, const std::string& key, const std::string& number) {
  std::string text = options_to_json(summary);
  const std::string label = "\"" + key + "\":";
  const size_t begin = text.find(label) + label.size();
  return text.replace(begin, text.find_first_of(",}", begin) - begin, number);
}

TEST(PlanSummaryTest, OptionsComeBackFromTheirJson) {
  PlanSummary summary;
  summary.options.payload_bytes_max = UINT64_MAX;
  summary.options.profile.max_links = 7;
  summary.known = {.item_count = 1, .bytes = 2, .block_count = 3, .block_bytes = 4};
  PlanSummary parsed;
  ASSERT_TRUE(options_from_json(options_to_json(summary), parsed));
  EXPECT_EQ(options_to_json(parsed), options_to_json(summary));
}

TEST(PlanSummaryTest, NumbersAreWholeAndFit) {
  const PlanSummary summary;
  for (const char* key : {"chunk_bytes", "max_links", "cid_version", "hamt_threshold_bytes", "payload_bytes_max",
                          "known_count", "known_bytes", "known_block_count", "known_block_bytes"}) {
    for (const char* number : {"-1", "1e30", "0.5", "18446744073709551616", "null", "\"1\""}) {
      PlanSummary parsed;
      const Status status = options_from_json(with_number(summary, key, number), parsed);
      ASSERT_FALSE(status) << key << " " << number;
      EXPECT_NE(status.error().message.find(key), std::string::npos) << status.error().message;
    }
  }
  PlanSummary parsed;
  EXPECT_FALSE(options_from_json(with_number(summary, "cid_version", "257"), parsed)) << "cut, it would be 1";
  EXPECT_FALSE(options_from_json(with_number(summary, "max_links", "4294968320"), parsed)) << "cut, it would be 1024";
}

}  // namespace
}  // namespace piecework::engine
