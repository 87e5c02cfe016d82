// Golden vectors and tree specifications (tests/vectors).
//
// A specification describes a tree that is never stored:
//   {"entries": [{"p": path, "t": "f"|"d"|"l", "text" | "seed" + "size" | "to"}],
//    "gen":     [{"dir", "count", "start"?, "name", "t"?, "text" | "seed" + "size" | "to"}]}
// `text` is UTF-8 content, `seed` and `size` name a payload (test_input.h), `to` is a symlink's target. In `gen` the
// first
// `%d` or `%0Nd` of each text is replaced by the index. The same rules as tests/interop/oracles/tree.mjs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace piecework::testing {

enum class TreeEntryKind : uint8_t { kFile, kDirectory, kSymlink };

struct TreeEntry {
  std::string path;  // relative, '/' between components
  TreeEntryKind kind = TreeEntryKind::kFile;
  bool has_text = false;
  std::string text;         // a file's content where has_text
  std::string seed;         // else its payload
  uint64_t size_bytes = 0;  // of either
  std::string link_target;

  // A file's content in memory; for small files.
  std::string content() const;
};

// tests/vectors/<name> in the source tree.
std::filesystem::path vector_path(std::string_view name);

// The JSON document tests/vectors/<name>; aborts where it is missing or malformed.
nlohmann::json load_vectors(std::string_view name);

// The entries of a specification, in its order: `entries` first, then each `gen`.
std::vector<TreeEntry> expand_tree(const nlohmann::json& specification);

// The entries of tests/vectors/public/<name>, e.g. "basic.spec.json".
std::vector<TreeEntry> load_tree(std::string_view name);

// Creates the entries below `root` (made where missing), with the directories on the way. Aborts on failure.
void materialise_tree(const std::vector<TreeEntry>& entries, const std::filesystem::path& root);

}  // namespace piecework::testing
