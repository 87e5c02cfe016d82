// The metrics of a pack: what is there while it runs and what is added by its end.
#include "tools/pack_metrics.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

namespace piecework::tools {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

PackMetrics running() {
  PackMetrics metrics;
  metrics.output_path = "/data/pieces";
  metrics.task = "7";
  metrics.plan_digest = "ab12";
  metrics.planned_bytes = 1000;
  metrics.packed_bytes = 400;
  metrics.bytes_per_second = 1.5e9;
  metrics.batch_count = 3;
  metrics.batches_packed = 1;
  metrics.batches_done_before = 1;
  metrics.skipped_item_count = 2;
  metrics.resident_bytes = 4096;
  metrics.resident_bytes_max = 8192;
  metrics.start_time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1500));
  return metrics;
}

TEST(PackMetricsTest, EveryLineIsOfTheFormat) {
  PackMetrics metrics = running();
  metrics.exit_code = 73;
  metrics.error = Error{ErrorCode::kNoSpace, ErrorSide::kDestination, 0, "full", {}};
  const std::regex comment(R"(# (HELP|TYPE) [a-z_]+ .+)");
  const std::regex sample(R"(([a-z_]+)\{([a-z0-9_]+="([^"\\]|\\.)*",?)+\} [0-9.e+-]+)");
  std::istringstream lines(format_pack_metrics(metrics));
  std::set<std::string> names;
  size_t sample_count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, comment)) continue;
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    EXPECT_TRUE(names.insert(match[1]).second) << line;
    ++sample_count;
  }
  EXPECT_EQ(sample_count, 16u);
}

TEST(PackMetricsTest, SaysWhatIsDone) {
  const std::string text = format_pack_metrics(running());
  const std::string labels = R"({output="/data/pieces",task="7"})";
  for (const char* sample :
       {"piecework_planned_bytes@ 1000", "piecework_packed_bytes_total@ 400", "piecework_batches@ 3",
        "piecework_packing_bytes_per_second@ 1500000000", "piecework_batches_packed_total@ 1",
        "piecework_batches_done_before_total@ 1", "piecework_skipped_items@ 2", "piecework_resident_memory_bytes@ 4096",
        "piecework_resident_memory_peak_bytes@ 8192", "piecework_start_time_seconds@ 1.5", "piecework_running@ 1"}) {
    const std::string line = std::regex_replace(std::string(sample), std::regex("@"), labels);
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
  }
  EXPECT_TRUE(has_line(text, R"(piecework_plan_info{output="/data/pieces",task="7",plan_digest="ab12"} 1)")) << text;
  EXPECT_EQ(text.find("piecework_exit_code"), std::string::npos);
  EXPECT_EQ(text.find("piecework_last_error"), std::string::npos);
}

TEST(PackMetricsTest, SaysHowItEnded) {
  PackMetrics metrics = running();
  metrics.exit_code = 66;
  metrics.error = Error{ErrorCode::kChanged, ErrorSide::kSource, 0, "gone", {}};
  const std::string text = format_pack_metrics(metrics);
  EXPECT_TRUE(has_line(text, R"(piecework_running{output="/data/pieces",task="7"} 0)")) << text;
  EXPECT_TRUE(has_line(text, R"(piecework_exit_code{output="/data/pieces",task="7"} 66)")) << text;
  EXPECT_TRUE(has_line(text, R"(piecework_last_error{output="/data/pieces",task="7",class="changed",side="source"} 1)"))
      << text;
}

}  // namespace
}  // namespace piecework::tools
