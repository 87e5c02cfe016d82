// Links in dag-json, from the events of a JSON parser that does not recurse. Declared in block_links.h.
//
// A map is a link where its first key is "/", its value there text, and no other key follows: known only at the map's
// end. Keys that repeat are found by their hashes, kept for the maps that are open; two keys of one hash (XXH3, 64
// bits) would have to be searched for, and only make the block that holds them unreadable.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/codec/block_links.h"
#include "kernels/checksum/xxh3.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kReservedKey = "/";

tl::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "dag-json " + std::move(what));
}

struct Container {
  bool is_map = false;
  bool has_link = false;  // its one entry so far is "/" and text, the text is in link_text_
  size_t first_key = 0;   // of a map: where its keys begin in key_hashes_
};

// Receives the parser's events; false ends the parse, with the reason in `status()`.
class LinkEvents {
 public:
  explicit LinkEvents(const LinkVisitor& visit) : visit_(visit) {}

  const Status& status() const { return status_; }

  bool null() { return value(); }
  bool boolean(bool) { return value(); }
  bool number_integer(Json::number_integer_t) { return value(); }
  bool number_unsigned(Json::number_unsigned_t) { return value(); }
  bool number_float(Json::number_float_t, const std::string&) { return value(); }
  bool binary(Json::binary_t&) { return value(); }

  bool string(std::string& text) {
    if (is_reserved_entry()) {
      open_.back().has_link = true;
      link_text_.swap(text);
    }
    return value();
  }

  bool start_object(size_t) { return open(true); }
  bool start_array(size_t) { return open(false); }

  bool key(std::string& text) {
    Container& map = open_.back();
    map.has_link = false;  // with a second entry it is a plain map
    follows_reserved_key_ = key_hashes_.size() == map.first_key && text == kReservedKey;
    key_hashes_.push_back(kernels::xxh3_64(as_bytes(text)));
    return true;
  }

  bool end_object() {
    const Container map = open_.back();
    open_.pop_back();
    const auto first = key_hashes_.begin() + static_cast<std::ptrdiff_t>(map.first_key);
    std::sort(first, key_hashes_.end());
    if (std::adjacent_find(first, key_hashes_.end()) != key_hashes_.end()) return refuse("has the same map key twice");
    key_hashes_.erase(first, key_hashes_.end());
    return !map.has_link || visit_link();
  }

  bool end_array() {
    open_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    // Its text repeats bytes of the block.
    return refuse(fmt::format("at byte {}: {}", position, printable(error.what())));
  }

 private:
  bool is_reserved_entry() const { return follows_reserved_key_; }

  bool value() {
    follows_reserved_key_ = false;
    return true;
  }

  bool open(bool is_map) {
    if (open_.size() == kDagJsonDepthMax) return refuse(fmt::format("nests deeper than {} levels", kDagJsonDepthMax));
    follows_reserved_key_ = false;
    open_.push_back({is_map, false, key_hashes_.size()});
    return true;
  }

  bool visit_link() {
    const Result<Cid> cid = parse_cid(link_text_);
    if (!cid) return refuse("has a link that is no CID: " + cid.error().message);
    status_ = visit_(cid->view());
    return status_.has_value();
  }

  bool refuse(std::string what) {
    status_ = corrupt(std::move(what));
    return false;
  }

  const LinkVisitor& visit_;
  Status status_;
  std::vector<Container> open_;  // to kDagJsonDepthMax
  std::vector<uint64_t> key_hashes_;
  bool follows_reserved_key_ = false;
  std::string link_text_;
};

}  // namespace

Status visit_dag_json_links(ByteSpan block, const LinkVisitor& visit) {
  if (as_text(block).starts_with(kByteOrderMark)) return corrupt("at byte 0: a byte order mark");
  LinkEvents events(visit);
  try {
    const bool is_whole = Json::sax_parse(block.begin(), block.end(), &events, Json::input_format_t::json, true);
    if (!is_whole && events.status()) return corrupt("could not be parsed");
  } catch (const std::exception& error) {  // out of memory, or a visitor's
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal,
                fmt::format("reading dag-json: {}", printable(error.what())));
  }
  return events.status();
}

}  // namespace piecework::engine
