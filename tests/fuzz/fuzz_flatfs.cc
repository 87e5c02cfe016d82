// flatfs and the small files of a kubo repository: what is accepted as a shard function is written back the same, a
// shard is as long as its function says and a directory's name, keys survive the way to a multihash and back.
#include <string>

#include "engine/codec/multibase.h"
#include "engine/store/kubo_repo.h"
#include "io/flatfs.h"
#include "kernels/base/check.h"

namespace piecework {
namespace {

void check_shards(std::string_view key) {
  for (const auto function :
       {io::FlatfsShardFunction::kPrefix, io::FlatfsShardFunction::kSuffix, io::FlatfsShardFunction::kNextToLast}) {
    for (const uint32_t count : {1u, 2u, 3u, 55u, io::kFlatfsShardCharactersMax}) {
      const io::FlatfsSharding sharding{function, count};
      PIECEWORK_CHECK(io::parse_flatfs_sharding(sharding.text()).value() == sharding);
      const std::string shard = sharding.shard_of(key);
      PIECEWORK_CHECK(shard.size() == count && shard.find('/') == std::string::npos);
      // Filled up in full, the key itself decides every character.
      const std::string filler(count + 1, '_');
      const std::string padded = function == io::FlatfsShardFunction::kPrefix ? std::string(key) + filler
                                                                              : filler + std::string(key);
      const size_t begin = function == io::FlatfsShardFunction::kPrefix   ? 0
                           : function == io::FlatfsShardFunction::kSuffix ? padded.size() - count
                                                                          : padded.size() - count - 1;
      PIECEWORK_CHECK(shard == padded.substr(begin, count));
    }
  }
}

void check_key(std::string_view key) {
  if (!io::is_flatfs_key(key)) return;
  check_shards(key);
  const Result<std::vector<uint8_t>> bytes = engine::decode_base32_upper(key);
  if (!bytes) return;
  const Result<engine::DecodedMultihash> decoded = engine::decode_multihash_prefix(*bytes);
  if (!decoded || decoded->length_bytes != bytes->size()) return;
  PIECEWORK_CHECK(engine::flatfs_key_of(decoded->multihash) == key);
}

}  // namespace
}  // namespace piecework

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const std::string_view text = as_text({data, data_bytes});
  if (const auto sharding = io::parse_flatfs_sharding(text)) PIECEWORK_CHECK(sharding->text() == text);
  check_key(text);
  const bool is_version = engine::parse_kubo_version(text).has_value();
  const Result<engine::KuboDatastoreSpec> spec = engine::parse_datastore_spec(text);
  if (spec) PIECEWORK_CHECK(spec->blocks.type == "flatfs" && !spec->blocks.path.empty() && !is_version);
  return 0;
}
