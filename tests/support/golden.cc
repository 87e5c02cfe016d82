// See golden.h.
#include "tests/support/golden.h"

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::testing {
namespace {

using nlohmann::json;

// Replaces the first "%d" or "%0Nd" of `pattern` by `index`, padded with zeros to N digits.
std::string expand_index(std::string_view pattern, uint64_t index) {
  for (size_t start = pattern.find('%'); start != std::string_view::npos; start = pattern.find('%', start + 1)) {
    const size_t end = pattern.find_first_not_of("0123456789", start + 1);
    if (end == std::string_view::npos || pattern[end] != 'd') continue;
    const std::string width_text(pattern.substr(start + 1, end - start - 1));
    const size_t width = width_text.empty() ? 0 : static_cast<size_t>(std::strtoull(width_text.c_str(), nullptr, 10));
    std::string digits = std::to_string(index);
    if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
    return std::string(pattern.substr(0, start)) + digits + std::string(pattern.substr(end + 1));
  }
  return std::string(pattern);
}

TreeEntryKind kind_of(const json& object) {
  const std::string letter = object.value("t", "f");
  if (letter == "d") return TreeEntryKind::kDirectory;
  return letter == "l" ? TreeEntryKind::kSymlink : TreeEntryKind::kFile;
}

// `index` < 0: an explicit entry, texts are taken as they are.
TreeEntry make_entry(const json& object, std::string path, int64_t index) {
  const auto text_of = [&](const char* key) {
    const std::string pattern = object.value(key, "");
    return index < 0 ? pattern : expand_index(pattern, static_cast<uint64_t>(index));
  };
  TreeEntry entry;
  entry.path = std::move(path);
  entry.kind = kind_of(object);
  entry.has_text = object.contains("text");
  entry.text = text_of("text");
  entry.seed = text_of("seed");
  entry.size_bytes = entry.has_text ? entry.text.size() : object.value("size", uint64_t{0});
  entry.link_target = text_of("to");
  return entry;
}

void materialise_entry(const TreeEntry& entry, const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  switch (entry.kind) {
    case TreeEntryKind::kDirectory:
      std::filesystem::create_directories(path);
      break;
    case TreeEntryKind::kSymlink:
      std::filesystem::create_symlink(entry.link_target, path);
      break;
    case TreeEntryKind::kFile:
      if (entry.has_text) {
        write_file(path, entry.text);
      } else {
        write_deterministic_file(path, entry.seed, entry.size_bytes);
      }
      break;
  }
}

}  // namespace

std::string TreeEntry::content() const {
  if (has_text) return text;
  const std::vector<uint8_t> bytes = deterministic_bytes(seed, static_cast<size_t>(size_bytes));
  return std::string(bytes.begin(), bytes.end());
}

std::filesystem::path vector_path(std::string_view name) {
  return std::filesystem::path(PIECEWORK_SOURCE_DIR) / "tests" / "vectors" / name;
}

json load_vectors(std::string_view name) {
  std::ifstream file(vector_path(name));
  json document = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    std::cerr << "test support: cannot read " << vector_path(name) << '\n';
    std::abort();
  }
  return document;
}

std::vector<TreeEntry> expand_tree(const json& specification) {
  std::vector<TreeEntry> entries;
  for (const json& object : specification.value("entries", json::array())) {
    entries.push_back(make_entry(object, object.at("p").get<std::string>(), -1));
  }
  for (const json& generator : specification.value("gen", json::array())) {
    const std::string directory = generator.at("dir").get<std::string>();
    const std::string name = generator.at("name").get<std::string>();
    const auto start = generator.value("start", int64_t{0});
    const auto end = start + generator.at("count").get<int64_t>();
    for (int64_t index = start; index < end; ++index) {
      entries.push_back(
          make_entry(generator, directory + '/' + expand_index(name, static_cast<uint64_t>(index)), index));
    }
  }
  return entries;
}

std::vector<TreeEntry> load_tree(std::string_view name) {
  return expand_tree(load_vectors("public/" + std::string(name)));
}

void materialise_tree(const std::vector<TreeEntry>& entries, const std::filesystem::path& root) {
  std::filesystem::create_directories(root);
  for (const TreeEntry& entry : entries) materialise_entry(entry, root / entry.path);
}

}  // namespace piecework::testing
