// The text exposition format, by the letter of its description (prometheus.io, "Exposition formats").
#include "tools/metrics_text.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

TEST(MetricsTextTest, HelpTypeAndSample) {
  MetricsText text(Labels{});
  text.add("jobs_total", MetricType::kCounter, "Jobs so far.", uint64_t{18446744073709551615u});
  text.add("load_ratio", MetricType::kGauge, "Load.", 0.25);
  EXPECT_EQ(text.text(),
            "# HELP jobs_total Jobs so far.\n# TYPE jobs_total counter\njobs_total 18446744073709551615\n"
            "# HELP load_ratio Load.\n# TYPE load_ratio gauge\nload_ratio 0.25\n");
}

TEST(MetricsTextTest, LabelsOfAllAndOfOne) {
  MetricsText text(Labels{{"task", "3"}});
  text.add("info", MetricType::kGauge, "Version.", uint64_t{1}, {{"version", "0.1.0"}, {"arch", "x86"}});
  text.add("up", MetricType::kGauge, "Up.", uint64_t{1});
  EXPECT_EQ(text.text(),
            "# HELP info Version.\n# TYPE info gauge\ninfo{task=\"3\",version=\"0.1.0\",arch=\"x86\"} 1\n"
            "# HELP up Up.\n# TYPE up gauge\nup{task=\"3\"} 1\n");
}

TEST(MetricsTextTest, EscapesBackslashQuoteAndLineFeed) {
  MetricsText text(Labels{{"path", "a\\b\"c\nd"}});
  text.add("up", MetricType::kGauge, "Back\\slash, \"quote\"\nand line.", uint64_t{1});
  EXPECT_EQ(text.text(),
            "# HELP up Back\\\\slash, \"quote\"\\nand line.\n# TYPE up gauge\nup{path=\"a\\\\b\\\"c\\nd\"} 1\n");
}

TEST(MetricsTextTest, BytesThatAreNoTextAreEscaped) {
  MetricsText text(Labels{{"path", "\xff"}, {"name", "gr\xc3\xbc"}});
  text.add("up", MetricType::kGauge, "Up.", uint64_t{1});
  EXPECT_NE(text.text().find(R"(path="\\xff")"), std::string::npos) << text.text();
  EXPECT_NE(text.text().find("name=\"gr\xc3\xbc\""), std::string::npos) << text.text();
}

}  // namespace
}  // namespace piecework::tools
