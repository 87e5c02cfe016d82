// The Prometheus text exposition format, version 0.0.4: "# HELP", "# TYPE" and samples. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace piecework::tools {

enum class MetricType : uint8_t { kGauge, kCounter };

// Names and values; names are the program's own and need no escape, values may hold any bytes.
using Labels = std::vector<std::pair<std::string, std::string>>;

// Collects metrics of one sample each, in order. Thread-compatible.
class MetricsText {
 public:
  // `labels` stand on every sample.
  explicit MetricsText(Labels labels) : labels_(std::move(labels)) {}

  // `name` matches [a-zA-Z_][a-zA-Z0-9_]*, is used once and carries the unit; a counter's ends with "_total".
  void add(std::string_view name, MetricType type, std::string_view help, uint64_t value, const Labels& further = {});
  void add(std::string_view name, MetricType type, std::string_view help, double value, const Labels& further = {});

  const std::string& text() const { return text_; }

 private:
  void add_sample(std::string_view name, MetricType type, std::string_view help, std::string_view value,
                  const Labels& further);

  Labels labels_;
  std::string text_;
};

}  // namespace piecework::tools
