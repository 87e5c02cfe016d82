#include "engine/record/receipt.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/multibase.h"
#include "engine/record/json_text.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kFormat = 1;
constexpr uint64_t kReceiptBytesMax = 256 * kMiB;  // skipped items are listed

Json sidecar_json(const SidecarContent& content) {
  return {{"content_bytes", content.content_bytes}, {"sha256", to_hex(content.sha256)}};
}

Digest32 digest_from_hex(const std::string& text) {
  const Result<std::vector<uint8_t>> bytes = decode_multibase("f" + text);
  Digest32 digest{};
  if (!bytes || bytes->size() != digest.size()) throw std::invalid_argument("a digest has 64 hexadecimal digits");
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

SidecarContent sidecar_from(const Json& json) {
  return {number_of<uint64_t>(json, "content_bytes"), digest_from_hex(json.at("sha256").get<std::string>())};
}

}  // namespace

std::string Receipt::to_json() const {
  Json json;
  json["format"] = kFormat;
  json["plan_digest"] = plan_digest;
  json["batch"] = batch;
  json["sources"] = Json::array();
  for (const std::string& name : source_names) json["sources"].push_back(text_or_base64("name", name));
  json["piece_cid_v1"] = piece_cid_v1;
  json["piece_cid_v2"] = piece_cid_v2;
  json["root_cid"] = root_cid;
  json["payload_bytes"] = payload_bytes;
  json["padded_bytes"] = padded_bytes;
  json["block_count"] = block_count;
  json["file_count"] = file_count;
  json["skipped"] = Json::array();
  for (const SkippedItem& item : skipped) {
    Json entry = text_or_base64("path", item.path);
    entry["reason"] = item.reason;
    json["skipped"].push_back(entry);
  }
  json["parts"] = Json::array();
  for (const ReceiptPart& part : parts) {
    Json entry = text_or_base64("path", part.path);
    entry.update(text_or_base64("item_path", part.item_path));
    entry["cid"] = part.cid;
    json["parts"].push_back(entry);
  }
  if (codec_guessed) json["codec_guessed"] = true;
  if (external_count > 0) json["external_count"] = external_count;
  json["sidecars"] = {{"tree", sidecar_json(tree)}, {"nodes", sidecar_json(nodes)}, {"files", sidecar_json(files)}};
  if (external_count > 0) json["sidecars"]["external"] = sidecar_json(external);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Receipt> parse_receipt(std::string_view text, std::string_view name) {
  // What nlohmann-json and the digests throw means one thing: this is not a receipt of ours.
  try {
    const Json json = Json::parse(text);
    if (number_of<uint32_t>(json, "format") != kFormat) throw std::invalid_argument("unknown format");
    Receipt receipt;
    receipt.plan_digest = json.at("plan_digest").get<std::string>();
    receipt.batch = number_of<uint32_t>(json, "batch");
    for (const Json& source : json.at("sources")) receipt.source_names.push_back(text_of(source, "name"));
    receipt.piece_cid_v1 = json.at("piece_cid_v1").get<std::string>();
    receipt.piece_cid_v2 = json.at("piece_cid_v2").get<std::string>();
    receipt.root_cid = json.at("root_cid").get<std::string>();
    receipt.payload_bytes = number_of<uint64_t>(json, "payload_bytes");
    receipt.padded_bytes = number_of<uint64_t>(json, "padded_bytes");
    receipt.block_count = number_of<uint64_t>(json, "block_count");
    receipt.file_count = number_of<uint64_t>(json, "file_count");
    for (const Json& item : json.at("skipped")) {
      receipt.skipped.push_back(
          {text_of(item, "path"), item.at("reason").get<std::string>(), 0, receipt.batch});
    }
    for (const Json& part : json.at("parts")) {
      receipt.parts.push_back({text_of(part, "path"), text_of(part, "item_path"), part.at("cid").get<std::string>()});
    }
    receipt.codec_guessed = json.value("codec_guessed", false);
    receipt.external_count = number_or_0(json, "external_count");
    const Json& sidecars = json.at("sidecars");
    if (receipt.external_count > 0) receipt.external = sidecar_from(sidecars.at("external"));
    receipt.tree = sidecar_from(sidecars.at("tree"));
    receipt.nodes = sidecar_from(sidecars.at("nodes"));
    receipt.files = sidecar_from(sidecars.at("files"));
    return receipt;
  } catch (const std::exception& error) {
    return fail(
        ErrorCode::kCorrupt, ErrorSide::kConfig,
        fmt::format("'{}' is not a receipt ({}); remove it and pack again", printable(name), printable(error.what())));
  }
}

std::string receipt_name(uint32_t batch) { return fmt::format("{}.json", batch); }

Result<io::OutputDirectory> receipts_directory(const io::OutputDirectory& output, const std::string& plan_digest) {
  PIECEWORK_ASSIGN(const io::OutputDirectory receipts, output.subdirectory("receipts"));
  return receipts.subdirectory(plan_digest);
}

namespace {

Result<Receipt> read_receipt(const io::File& file) {
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular() || stamp.size_bytes > kReceiptBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("'{}' is no regular file, or too large for a receipt", printable(file.path())));
  }
  std::vector<uint8_t> bytes(stamp.size_bytes);
  PIECEWORK_ASSIGN(const size_t got, file.read_full(bytes, 0));
  return parse_receipt(as_text(ByteSpan(bytes).first(got)), file.path());
}

}  // namespace

Result<Receipt> read_receipt_file(const std::string& path) {
  PIECEWORK_ASSIGN(const io::File file, io::open_named(path, ErrorSide::kSource));
  return read_receipt(file);
}

Result<std::optional<Receipt>> read_receipt(const io::OutputDirectory& receipts, const std::string& plan_digest,
                                            uint32_t batch) {
  const std::string name = receipt_name(batch);
  PIECEWORK_ASSIGN(const std::optional<io::File> file, receipts.try_open(name));
  if (!file) return std::nullopt;
  PIECEWORK_ASSIGN(Receipt receipt, read_receipt(*file));
  if (receipt.plan_digest != plan_digest || receipt.batch != batch) {
    return fail(
        ErrorCode::kCorrupt, ErrorSide::kConfig,
        fmt::format("'{}' is the receipt of batch {} of plan {}, expected batch {} of plan {}; move it away and "
                    "run again",
                    printable(file->path()), receipt.batch, printable(receipt.plan_digest), batch, plan_digest));
  }
  return std::optional<Receipt>(std::move(receipt));
}

std::vector<SkippedItem> left_out_of(const Receipt& receipt, const PlanSummary& plan) {
  std::vector<std::string> planned;
  for (const SkippedItem& item : plan.skipped) {
    if (item.batch == receipt.batch) planned.push_back(item.path);
  }
  std::sort(planned.begin(), planned.end());
  std::vector<SkippedItem> left_out;
  for (const SkippedItem& item : receipt.skipped) {
    if (!std::binary_search(planned.begin(), planned.end(), item.path)) left_out.push_back(item);
  }
  return left_out;
}

}  // namespace piecework::engine
