// Catalogues of many files: how fast they are filled, with all indexes, and asked. usage: bench_catalogue [FILES [DIR]]
//
// Files are synthetic: 1,000 a directory, 100,000 a piece, each of one block. Prints one line a figure. Memory is the
// highest resident size so far.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "engine/record/catalogue_find.h"
#include "engine/record/catalogue_writer.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kFilesInDirectory = 1'000;
constexpr uint64_t kFilesInPiece = 100'000;
constexpr uint64_t kSectionBytes = 16'384 + 39;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

long resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

std::string directory_of(uint64_t file) {
  return fmt::format("site/{:03}/{:05}", file / kFilesInPiece, file / kFilesInDirectory);
}
std::string name_of(uint64_t file) { return fmt::format("page-{:09}.html", file); }

Cid cid_of(uint64_t number, uint64_t codec) {
  uint8_t bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  return sha256_cid(1, codec, kernels::sha256(bytes));
}

Status fill(const std::string& path, uint64_t file_count) {
  PIECEWORK_ASSIGN(const std::unique_ptr<CatalogueWriter> writer, CatalogueWriter::open(path));
  uint64_t piece_id = 0;
  uint64_t directory_id = 0;
  for (uint64_t file = 0; file < file_count; ++file) {
    if (file % kFilesInPiece == 0) {
      Digest32 root = kernels::sha256(cid_of(file, kCodecDagCbor).bytes());
      root[31] &= 0x3F;
      CataloguePiece facts{.cid_v1 = piece_cid_v1_text(root), .root = cid_of(file, kCodecDagPb)};
      facts.payload_bytes = 100 + kFilesInPiece * kSectionBytes;
      facts.cid_v2 = piece_cid_v2_text(root, facts.payload_bytes);
      facts.padded_bytes = padded_bytes_for(facts.payload_bytes);
      facts.block_count = kFilesInPiece + 1;
      PIECEWORK_ASSIGN(piece_id, writer->add_piece(facts));
      const ContentFacts root_facts{.kind = ContentKind::kDirectory, .car_offset_bytes = 59, .car_bytes = 41,
                                    .cid = facts.root.bytes()};
      PIECEWORK_ASSIGN([[maybe_unused]] const uint64_t id, writer->add_content(piece_id, root_facts));
    }
    if (file % kFilesInDirectory == 0) {
      PIECEWORK_ASSIGN(directory_id, writer->directory_id(directory_of(file)));
    }
    const Cid cid = cid_of(file, kCodecRaw);
    const ContentFacts facts{.size_bytes = 16'384, .car_offset_bytes = 100 + file % kFilesInPiece * kSectionBytes,
                             .car_bytes = kSectionBytes, .cid = cid.bytes()};
    PIECEWORK_ASSIGN(const uint64_t content_id, writer->add_content(piece_id, facts));
    PIECEWORK_TRY(writer->add_entry(directory_id, name_of(file), content_id));
  }
  return writer->commit();
}

// Asks for files at random, each with a reader of its own as the command does; prints median and the worst of 100.
Status ask(const std::string& path, uint64_t file_count, bool by_cid) {
  std::mt19937_64 random(1);
  std::vector<double> ms;
  for (int i = 0; i < 200; ++i) {
    const uint64_t file = random() % file_count;
    const auto start = std::chrono::steady_clock::now();
    PIECEWORK_ASSIGN(CatalogueReader reader, CatalogueReader::open(path));
    uint64_t count = 0;
    const std::string what = by_cid ? cid_of(file, kCodecRaw).text() : directory_of(file) + "/" + name_of(file);
    PIECEWORK_TRY(find_in_catalogue(reader, {.what = what}, [&count](const FoundVersion&) -> Status {
      ++count;
      return {};
    }));
    if (count != 1) return fail(ErrorCode::kCorrupt, ErrorSide::kInternal, what + " is not there once");
    ms.push_back(1e3 * seconds_since(start));
  }
  std::sort(ms.begin(), ms.end());
  fmt::print("find by {}: median {:.2f} ms, 99 of 100 within {:.2f} ms\n", by_cid ? "CID " : "path", ms[100], ms[198]);
  return {};
}

int run(uint64_t file_count, const std::string& directory) {
  const std::string path = directory + "/bench.catalogue";
  const auto start = std::chrono::steady_clock::now();
  Status status = fill(path, file_count);
  const double fill_s = seconds_since(start);
  if (status) {
    fmt::print("{} files: {:.1f} s, {:.0f} files/s, {} MiB on disk, {} MiB resident\n", file_count, fill_s,
               static_cast<double>(file_count) / fill_s, std::filesystem::file_size(path) >> 20, resident_mib());
    status = ask(path, file_count, false);
  }
  if (status) status = ask(path, file_count, true);
  std::filesystem::remove(path);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}

}  // namespace
}  // namespace piecework::engine

int main(int argc, char** argv) {
  const bool is_smoke = argc > 1 && std::strcmp(argv[1], "--smoke") == 0;
  const uint64_t file_count = is_smoke ? 20'000 : argc > 1 ? std::stoull(argv[1]) : 1'000'000;
  return piecework::engine::run(file_count, argc > 2 ? argv[2] : std::filesystem::temp_directory_path().string());
}
