// Keys in files, as `lotus wallet export` writes them; declared in deal_signer.h.
//
// Every copy of the key lies in a buffer of this file that is wiped: so neither nlohmann-json nor a string that grows
// sees it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string_view>
#include <vector>

#include "engine/deal/deal_signer.h"
#include "io/file.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

constexpr size_t kKeyFileBytesMax = 4096;
constexpr std::string_view kWhiteSpace = " \t\r\n";

// Bytes that are wiped when they go. Thread-compatible.
class WipedBuffer {
 public:
  explicit WipedBuffer(size_t count) : bytes_(count) {}
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;
  ~WipedBuffer() { wipe(bytes_); }

  MutableByteSpan bytes() { return bytes_; }
  std::string_view text(size_t count) const { return as_text(ByteSpan(bytes_).first(count)); }

 private:
  std::vector<uint8_t> bytes_;
};

tl::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("not a key as 'lotus wallet export' writes it: {}", why));
}

// A reader of one flat JSON object whose values are plain strings: all that an exported key is.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : rest_(text) {}

  bool take(char expected) {
    skip_white_space();
    if (rest_.empty() || rest_[0] != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::string_view> take_string() {
    if (!take('"')) return std::nullopt;
    const size_t end = rest_.find('"');
    if (end == std::string_view::npos || rest_.substr(0, end).find('\\') != std::string_view::npos) return std::nullopt;
    const std::string_view content = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return content;
  }
  bool at_end() {
    skip_white_space();
    return rest_.empty();
  }

 private:
  void skip_white_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kWhiteSpace), rest_.size())); }

  std::string_view rest_;
};

struct LotusKeyInfo {
  std::string_view type;
  std::string_view private_key_base64;
};

std::optional<LotusKeyInfo> parse_key_info(std::string_view json) {
  LotusKeyInfo info;
  FlatObject object(json);
  if (!object.take('{')) return std::nullopt;
  do {
    const std::optional<std::string_view> key = object.take_string();
    if (!key || !object.take(':')) return std::nullopt;
    const std::optional<std::string_view> value = object.take_string();
    if (!value) return std::nullopt;
    std::string_view* const target = *key == "Type"         ? &info.type
                                     : *key == "PrivateKey" ? &info.private_key_base64
                                                            : nullptr;
    if (target == nullptr || !target->empty()) return std::nullopt;
    *target = *value;
  } while (object.take(','));
  if (!object.take('}') || !object.at_end()) return std::nullopt;
  return info;
}

Status check_key_file(const io::File& file, const io::FileStamp& stamp) {
  const std::string name = printable(file.path());
  if (!stamp.is_regular() || stamp.size_bytes > kKeyFileBytesMax) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' is no regular file, or too large for a key", name));
  }
  struct stat status;
  if (::fstat(file.fd(), &status) != 0) return fail_errno(errno, ErrorSide::kConfig, "looking at '" + name + "'");
  if ((stamp.mode & (S_IRWXG | S_IRWXO)) != 0 || status.st_uid != ::geteuid()) {
    return fail(ErrorCode::kPermission, ErrorSide::kConfig,
                fmt::format("the key file '{}' has mode {:04o} and belongs to user {}: expected 0600 and user {}; "
                            "chmod 600 it, and make a new key if others could read it",
                            name, stamp.mode & 07777, status.st_uid, ::geteuid()));
  }
  return {};
}

}  // namespace

Result<SecretKey> parse_lotus_key(std::string_view text) {
  const size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return refuse("it is empty");
  text = text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
  if (text.size() > kKeyFileBytesMax) return refuse("it is too long");
  WipedBuffer json(text.size() / 2);
  const std::optional<size_t> json_bytes = decode_secret_hex(json.bytes(), text);
  if (!json_bytes) return refuse("it is not hexadecimal");
  const std::optional<LotusKeyInfo> info = parse_key_info(json.text(*json_bytes));
  if (!info) return refuse("its hexadecimal text is not {\"Type\":..., \"PrivateKey\":...}");
  if (info->type != "secp256k1") return refuse("its type is not secp256k1");
  SecretKey key;
  if (decode_secret_base64(key.writable(), info->private_key_base64) != key.bytes().size()) {
    return refuse("its private key is not 32 bytes in base64");
  }
  return key;
}

Result<SecretKey> read_key_file(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kConfig));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  PIECEWORK_TRY(check_key_file(file, stamp));
  WipedBuffer text(stamp.size_bytes);
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(text.bytes(), 0));
  Result<SecretKey> key = parse_lotus_key(text.text(read_bytes));
  if (!key) key.error().message = fmt::format("'{}': {}", printable(path), key.error().message);
  return key;
}

}  // namespace piecework::engine
