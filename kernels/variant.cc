// Listing and forcing of variants over the tables of all kernels.
#include "kernels/variant.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/fr32/fr32_variants.h"
#include "kernels/sha256/sha256_variants.h"
#include "kernels/variant_table.h"

namespace piecework::kernels {
namespace {

constexpr std::string_view kAuto = "auto";

std::array<VariantTableBase*, 5> all_tables() noexcept {
  return {&nodes_table(), &many_table(), &stream_table(), &fr32_table(), &granules_table()};
}

// The index of `name` in `table`, or the table's count.
size_t find_variant(const VariantTableBase& table, std::string_view name) noexcept {
  size_t index = 0;
  while (index < table.count() && table.name(index) != name) ++index;
  return index;
}

struct Request {
  std::string_view kernel;  // empty: every kernel that has the variant
  std::string_view variant;
};

Request parse_request(std::string_view text) noexcept {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {{}, text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool names_kernel(const Request& request, const VariantTableBase& table) noexcept {
  return request.kernel.empty() || request.kernel == table.kernel();
}

// True where at least one kernel has the variant and every kernel that has it can run it here.
bool can_force(const Request& request) noexcept {
  bool found = false;
  for (const VariantTableBase* table : all_tables()) {
    if (!names_kernel(request, *table)) continue;
    if (request.variant == kAuto) {
      found = true;
      continue;
    }
    const size_t index = find_variant(*table, request.variant);
    if (index == table->count()) continue;
    if (!table->supported(index)) return false;
    found = true;
  }
  return found;
}

void apply(const Request& request) noexcept {
  for (VariantTableBase* table : all_tables()) {
    if (!names_kernel(request, *table)) continue;
    if (request.variant == kAuto) {
      table->force_auto();
      continue;
    }
    const size_t index = find_variant(*table, request.variant);
    if (index < table->count()) table->force(index);
  }
}

// Appends `text` to the zero-terminated `target`, cut at its end.
void append_text(std::span<char> target, std::string_view text) noexcept {
  const size_t used = std::strlen(target.data());
  const size_t copied = std::min(text.size(), target.size() - 1 - used);
  std::memcpy(target.data() + used, text.data(), copied);
  target[used + copied] = '\0';
}

ForceResult refuse(const Request& request, std::string_view text) noexcept {
  ForceResult result;
  result.ok = false;
  append_text(result.refused, text);
  append_text(result.refused, " (there is:");
  for (const VariantTableBase* table : all_tables()) {
    if (!names_kernel(request, *table)) continue;
    for (size_t i = 0; i < table->count(); ++i) {
      if (!table->supported(i)) continue;
      append_text(result.refused, " ");
      append_text(result.refused, table->name(i));
    }
    break;  // the names of one table say enough for a line
  }
  append_text(result.refused, ")");
  return result;
}

// Calls `visit` for each comma-separated part of `text` until it returns false.
template <class Visitor>
void for_each_part(std::string_view text, Visitor visit) noexcept {
  while (true) {
    const size_t comma = text.find(',');
    if (!visit(text.substr(0, comma)) || comma == std::string_view::npos) return;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

size_t list_variants(std::span<VariantInfo> target) noexcept {
  size_t count = 0;
  for (const VariantTableBase* table : all_tables()) {
    for (size_t i = 0; i < table->count(); ++i, ++count) {
      if (count >= target.size()) continue;
      target[count] = {table->kernel(), table->name(i), table->supported(i), i == table->active_index()};
    }
  }
  return count;
}

bool force_variant(std::string_view kernel, std::string_view name) noexcept {
  const Request request{kernel, name};
  if (!can_force(request)) return false;
  apply(request);
  return true;
}

ForceResult force_variants(std::string_view specification) noexcept {
  ForceResult result;
  // All or nothing: everything is checked before anything is changed.
  for_each_part(specification, [&result](std::string_view part) {
    const Request request = parse_request(part);
    if (!can_force(request)) result = refuse(request, part);
    return result.ok;
  });
  if (!result.ok) return result;
  for_each_part(specification, [](std::string_view part) {
    apply(parse_request(part));
    return true;
  });
  return result;
}

}  // namespace piecework::kernels
