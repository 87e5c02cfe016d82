// Names of enumerators in records and reports: a table of pairs, and both ways through it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace piecework::engine {

template <class Value, size_t kCount>
using NameTable = std::array<std::pair<Value, std::string_view>, kCount>;

// "" for a value that the table does not have.
template <class Value, size_t kCount>
std::string_view name_in(const NameTable<Value, kCount>& table, Value value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  return "";
}

template <class Value, size_t kCount>
std::optional<Value> value_in(const NameTable<Value, kCount>& table, std::string_view name) {
  for (const auto& [value, entry] : table) {
    if (entry == name) return value;
  }
  return std::nullopt;
}

}  // namespace piecework::engine
