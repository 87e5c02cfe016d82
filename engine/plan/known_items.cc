#include "engine/plan/known_items.h"

#include "kernels/base/endian.h"

namespace piecework::engine {
namespace {

enum class KeyKind : char { kFile, kSymlink, kEmptyDirectory, kContentOfSize, kContent };

// Every part but the last is preceded by its length, or has a fixed one: no two items have one text.
class KeyText {
 public:
  KeyText(KeyKind kind, const ItemPlace& place) {
    text_.reserve(64 + place.source_name.size() + place.path.size());
    text_ += static_cast<char>(kind);
    number(place.source_name.size());
    text_ += place.source_name;
    number(place.path.size());
    text_ += place.path;
  }
  KeyText& number(uint64_t value) {
    uint8_t bytes[8];
    store_le<uint64_t>(bytes, value);
    text_ += as_text(bytes);
    return *this;
  }
  KeyText& tail(std::string_view text) {
    text_ += text;
    return *this;
  }
  ByteSpan bytes() const { return as_bytes(text_); }

 private:
  std::string text_;
};

KeyText file_key(const ItemPlace& place, uint64_t file_bytes, int64_t mtime_ns) {
  return KeyText(KeyKind::kFile, place).number(file_bytes).number(static_cast<uint64_t>(mtime_ns));
}

KeyText symlink_place_key(const ItemPlace& place, std::string_view target) {
  return KeyText(KeyKind::kSymlink, place).tail(target);
}

KeyText size_key(const ItemPlace& place, uint64_t file_bytes) {
  return KeyText(KeyKind::kContentOfSize, place).number(file_bytes);
}

KeyText cid_key(const ItemPlace& place, uint64_t file_bytes, ByteSpan cid) {
  return KeyText(KeyKind::kContent, place).number(file_bytes).tail(as_text(cid));
}

}  // namespace

ItemPlace item_place(std::string_view tree_path, bool root_joins_sources, std::string_view only_source_name) {
  if (!root_joins_sources) return {only_source_name, tree_path};
  const size_t slash = tree_path.find('/');
  if (slash == std::string_view::npos) return {tree_path, {}};
  return {tree_path.substr(0, slash), tree_path.substr(slash + 1)};
}

void KnownItems::add_file(const ItemPlace& place, uint64_t file_bytes, int64_t mtime_ns) {
  items_.add(file_key(place, file_bytes, mtime_ns).bytes(), 0);
}

void KnownItems::add_symlink(const ItemPlace& place, std::string_view target) {
  items_.add(symlink_place_key(place, target).bytes(), 0);
}

void KnownItems::add_empty_directory(const ItemPlace& place) {
  items_.add(KeyText(KeyKind::kEmptyDirectory, place).bytes(), 0);
}

void KnownItems::add_content(const ItemPlace& place, uint64_t file_bytes, ByteSpan cid) {
  items_.add(size_key(place, file_bytes).bytes(), 0);
  items_.add(cid_key(place, file_bytes, cid).bytes(), 0);
}

bool KnownItems::has_file(const ItemPlace& place, uint64_t file_bytes, int64_t mtime_ns) const {
  return items_.find(file_key(place, file_bytes, mtime_ns).bytes()).has_value();
}

bool KnownItems::has_symlink(const ItemPlace& place, std::string_view target) const {
  return items_.find(symlink_place_key(place, target).bytes()).has_value();
}

bool KnownItems::has_empty_directory(const ItemPlace& place) const {
  return items_.find(KeyText(KeyKind::kEmptyDirectory, place).bytes()).has_value();
}

bool KnownItems::has_content_of_size(const ItemPlace& place, uint64_t file_bytes) const {
  return items_.find(size_key(place, file_bytes).bytes()).has_value();
}

bool KnownItems::has_content(const ItemPlace& place, uint64_t file_bytes, ByteSpan cid) const {
  return items_.find(cid_key(place, file_bytes, cid).bytes()).has_value();
}

}  // namespace piecework::engine
