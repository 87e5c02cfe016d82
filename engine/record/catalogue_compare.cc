#include "engine/record/catalogue_compare.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "engine/record/catalogue_dump.h"
#include "engine/record/catalogue_fill.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

// A catalogue that nobody else sees; its files go with it.
class ScratchCatalogue {
 public:
  explicit ScratchCatalogue(const std::string& directory)
      : path_(fmt::format("{}/.piecework-check-{}.tmp", directory, ::getpid())) {
    remove();
  }
  ScratchCatalogue(const ScratchCatalogue&) = delete;
  ScratchCatalogue& operator=(const ScratchCatalogue&) = delete;
  ~ScratchCatalogue() { remove(); }
  const std::string& path() const { return path_; }

 private:
  void remove() const {
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path_ + suffix).c_str());
  }
  std::string path_;
};

using Digests = std::map<std::string, Digest32, std::less<>>;  // by piece CID v1

// What a catalogue says of each piece, as a digest of its lines.
Result<Digests> digests_of(CatalogueReader& reader) {
  std::map<std::string, kernels::Sha256, std::less<>> hashers;
  PIECEWORK_TRY(dump_catalogue(reader, [&hashers](const std::string& line) -> Status {
    const bool is_content = line.starts_with("{\"table\":\"pieces\"") || line.starts_with("{\"table\":\"files\"");
    constexpr std::string_view kKey = "\"piece_cid_v1\":\"";
    // The key's quotes are not escaped, so no path can hold it.
    const size_t key = is_content ? line.find(kKey) : std::string::npos;
    if (key == std::string::npos) return {};
    const size_t begin = key + kKey.size();
    kernels::Sha256& hasher = hashers[line.substr(begin, line.find('"', begin) - begin)];
    hasher.append(as_bytes(line));
    hasher.append(as_bytes("\n"));
    return {};
  }));
  Digests digests;
  for (auto& [piece, hasher] : hashers) digests.emplace(piece, hasher.finish());
  return digests;
}

}  // namespace

Result<std::vector<std::string>> compare_with_pieces(CatalogueReader& reader,
                                                     const std::vector<std::string>& directories,
                                                     const std::string& scratch, const std::atomic<bool>* stop) {
  const ScratchCatalogue made(scratch);
  PageSource pages(scratch, 256 * kMiB);
  FillOptions options;
  options.pages = &pages;
  options.stop = stop;
  FillTotals totals;
  PIECEWORK_ASSIGN(const std::unique_ptr<CatalogueWriter> writer, CatalogueWriter::open(made.path()));
  PIECEWORK_TRY(rebuild_from(directories, options, *writer, totals));
  PIECEWORK_TRY(writer->commit());
  PIECEWORK_ASSIGN(CatalogueReader rebuilt, CatalogueReader::open(made.path()));
  PIECEWORK_ASSIGN(const Digests expected, digests_of(rebuilt));
  PIECEWORK_ASSIGN(const Digests actual, digests_of(reader));
  std::vector<std::string> problems;
  for (const auto& [piece, digest] : expected) {
    const auto found = actual.find(piece);
    if (found == actual.end())
      problems.push_back(fmt::format("piece {} is not in the catalogue: merge it", piece));
    else if (found->second != digest)
      problems.push_back(fmt::format("piece {}: the catalogue says other things than the piece: rebuild it", piece));
  }
  return problems;
}

}  // namespace piecework::engine
