#include "engine/store/car_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr size_t kCompareBytes = 64 * kKiB;

}  // namespace

Result<std::unique_ptr<CarStore>> CarStore::open(std::vector<CarInput> inputs, const CarStoreOptions& options) {
  std::unique_ptr<CarStore> store(new CarStore(options));
  CarIndexBuilder builder(options.scratch_directory, options.index_memory_bytes);
  const BlockVisitor append = [&builder](const CidView& cid, const BlockPlace& place) {
    return builder.append(
        {car_index_key(cid.bytes), place.offset_bytes, place.file_index, static_cast<uint32_t>(place.length_bytes)});
  };
  for (CarInput& input : inputs) {
    PIECEWORK_TRY(input.spool.is_open() ? store->files_.add_open(std::move(input.spool), input.path)
                                        : store->files_.add(input.path));
    PIECEWORK_TRY(input.list_places ? store->take_places(input, append)
                                    : store->scan(store->file_count() - 1, append));
  }
  store->drop_repeated_roots();
  PIECEWORK_ASSIGN(store->index_, builder.finish([&store](const CarIndexEntry& before, const CarIndexEntry& repeat) {
    return store->compare_repeat(before, repeat);
  }));
  return store;
}

// Scans a file and makes sure that it was one version all the time.
Status CarStore::scan(uint32_t file_index, const BlockVisitor& visit) {
  PIECEWORK_ASSIGN(const io::File* file, files_.file(file_index));
  const CarScanOptions scan_options{file_index, options_.stop, options_.scanned_bytes};
  PIECEWORK_ASSIGN(CarScanFacts facts,
                   scan_car(*file, file_path(file_index), file_stamp(file_index), scan_options, visit));
  PIECEWORK_TRY(files_.check_unchanged(file_index));
  return take_facts(file_index, std::move(facts));
}

Status CarStore::take_places(const CarInput& input, const BlockVisitor& visit) {
  const uint32_t file_index = file_count() - 1;
  const uint64_t file_bytes = file_stamp(file_index).size_bytes;
  PIECEWORK_TRY(input.list_places(file_index, [&](const CidView& cid, const BlockPlace& place) -> Status {
    const bool is_inside = place.length_bytes <= kStoreBlockBytesMax && place.offset_bytes <= file_bytes &&
                           place.length_bytes <= file_bytes - place.offset_bytes;
    return is_inside && !cid.is_identity() ? visit(cid, place) : Status();
  }));
  return take_facts(file_index, {});
}

Status CarStore::take_facts(uint32_t file_index, CarScanFacts facts) {
  const std::string& path = file_path(file_index);
  if (facts.roots.empty() && !rootless_file_) rootless_file_ = file_index;
  if (facts.roots.size() > kRootsMax - roots_.size()) {
    return bad_car(path, 0, fmt::format("with it, the CARs name more than {} roots", kRootsMax),
                   ErrorCode::kUnsupported);
  }
  roots_.insert(roots_.end(), facts.roots.begin(), facts.roots.end());
  file_roots_.push_back(std::move(facts.roots));
  if (facts.large_block_count > 0) {
    warnings_.push_back(fmt::format(
        "'{}' has {} blocks of more than {} bytes, the first ({} bytes) at byte {}: other tools may refuse them",
        printable(path), facts.large_block_count, io::kCarUsualSectionBytesMax, facts.large_block_bytes,
        facts.large_block_offset_bytes));
  }
  return {};
}

void CarStore::drop_repeated_roots() {
  std::vector<uint32_t> order(roots_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return roots_[a] < roots_[b]; });
  std::vector<bool> is_repeat(roots_.size());
  for (size_t i = 1; i < order.size(); ++i) is_repeat[order[i]] = roots_[order[i - 1]] == roots_[order[i]];
  size_t kept = 0;
  for (size_t i = 0; i < roots_.size(); ++i) {
    if (is_repeat[i]) continue;
    if (kept != i) roots_[kept] = std::move(roots_[i]);
    ++kept;
  }
  roots_.resize(kept);
}

// Two sections of one file with one CID: their data must be equal.
Status CarStore::compare_repeat(const CarIndexEntry& before, const CarIndexEntry& repeat) {
  if (before.file_index != repeat.file_index) return {};
  const uint32_t file_index = repeat.file_index;
  if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while comparing repeated blocks");
  }
  bool is_equal = before.length_bytes == repeat.length_bytes;
  std::array<uint8_t, kCompareBytes> first;
  std::array<uint8_t, kCompareBytes> second;
  for (uint64_t done_bytes = 0; is_equal && done_bytes < repeat.length_bytes; done_bytes += kCompareBytes) {
    const size_t step_bytes = std::min<size_t>(kCompareBytes, repeat.length_bytes - done_bytes);
    PIECEWORK_TRY(files_.read(file_index, {first.data(), step_bytes}, before.offset_bytes + done_bytes));
    PIECEWORK_TRY(files_.read(file_index, {second.data(), step_bytes}, repeat.offset_bytes + done_bytes));
    is_equal = std::equal(first.begin(), first.begin() + step_bytes, second.begin());
  }
  if (is_equal) return {};
  PIECEWORK_TRY(files_.check_unchanged(file_index));
  return bad_car(file_path(file_index), repeat.offset_bytes,
                 fmt::format("a block with the CID of the one at byte {}, but other data", before.offset_bytes));
}

Result<std::optional<BlockPlace>> CarStore::find(const CidView& cid) {
  PIECEWORK_DCHECK(!cid.is_identity());
  PIECEWORK_ASSIGN(const std::optional<CarIndexEntry> entry, index_.find(car_index_key(cid.bytes)));
  if (!entry) return std::optional<BlockPlace>();
  // What stands before the data is known to the last byte.
  std::array<uint8_t, kVarintBytesMax + kCidBytesMax> expected;
  uint8_t* end = encode_varint(expected.data(), cid.bytes.size() + entry->length_bytes);
  end = std::copy(cid.bytes.begin(), cid.bytes.end(), end);
  const size_t head_bytes = static_cast<size_t>(end - expected.data());
  if (head_bytes > entry->offset_bytes) return std::optional<BlockPlace>();
  std::array<uint8_t, kVarintBytesMax + kCidBytesMax> found;
  PIECEWORK_TRY(files_.read(entry->file_index, {found.data(), head_bytes}, entry->offset_bytes - head_bytes));
  if (!std::equal(expected.data(), end, found.data())) {
    PIECEWORK_TRY(files_.check_unchanged(entry->file_index));
    return std::optional<BlockPlace>();
  }
  return std::optional<BlockPlace>({entry->file_index, entry->offset_bytes, entry->length_bytes});
}

Status CarStore::read(const CidView& /*cid*/, const BlockPlace& place, std::vector<uint8_t>& target) {
  PIECEWORK_CHECK(place.file_index < file_count() && place.length_bytes <= kStoreBlockBytesMax);
  target.resize(static_cast<size_t>(place.length_bytes));
  PIECEWORK_TRY(files_.read(place.file_index, target, place.offset_bytes));
  return files_.check_unchanged(place.file_index);
}

Status CarStore::read_begin(const CidView& /*cid*/, const BlockPlace& place, MutableByteSpan target) {
  PIECEWORK_CHECK(place.file_index < file_count() && target.size() <= place.length_bytes);
  return files_.read(place.file_index, target, place.offset_bytes);
}

Error CarStore::missing(const CidView& cid) const {
  return Error{ErrorCode::kNotFound,
               ErrorSide::kSource,
               0,
               fmt::format("block {} is in none of the {} CARs that were given; add the one that holds it",
                           cid_text(cid.bytes), file_count()),
               {}};
}

std::string CarStore::describe(const CidView& /*cid*/, const BlockPlace& place) const {
  return fmt::format("'{}' at byte {}", printable(file_path(place.file_index)), place.offset_bytes);
}

Status CarStore::require_roots() const {
  if (!rootless_file_) return {};
  return bad_car(file_path(*rootless_file_), 0, "its header names no roots, and none were given");
}

Status CarStore::visit_blocks(const BlockVisitor& visit) {
  for (uint32_t i = 0; i < file_count(); ++i) {
    // A descriptor of its own: `visit` may ask for blocks of other files, which closes this one's.
    PIECEWORK_ASSIGN(const io::File file, files_.open_copy(i));
    PIECEWORK_TRY(scan_car(file, file_path(i), file_stamp(i), {i, options_.stop, nullptr}, visit));
    PIECEWORK_TRY(files_.check_unchanged(i));
  }
  return {};
}

}  // namespace piecework::engine
