#include "engine/plan/find_duplicates.h"

#include <algorithm>
#include <functional>

#include "engine/plan/file_pass.h"
#include "kernels/base/units.h"
#include "kernels/checksum/xxh3.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr size_t kPrefixBytes = 4096;

Result<Digest32> content_sha256(const io::File& file, uint64_t file_bytes, std::atomic<uint64_t>* read_bytes) {
  kernels::Sha256 hasher;
  PIECEWORK_TRY(for_each_part(file, file_bytes, 1, read_bytes, [&](ByteSpan part) { hasher.append(part); }));
  return hasher.finish();
}

// Entries of which another one has the same (size, key); `key` is 0 in the first round. Sorted.
struct Candidate {
  uint64_t file_bytes = 0;
  uint64_t key = 0;
  EntryIndex entry = 0;
};

SpillArray<EntryIndex> not_alone(SpillArray<Candidate>& candidates, PageSource* pages) {
  const auto same = [](const Candidate& a, const Candidate& b) {
    return a.file_bytes == b.file_bytes && a.key == b.key;
  };
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.file_bytes, a.key, a.entry) < std::tie(b.file_bytes, b.key, b.entry);
  });
  SpillArray<EntryIndex> kept(pages, candidates.size());
  size_t kept_count = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const bool with_previous = i > 0 && same(candidates[i - 1], candidates[i]);
    const bool with_next = i + 1 < candidates.size() && same(candidates[i], candidates[i + 1]);
    if (with_previous || with_next) kept[kept_count++] = candidates[i].entry;
  }
  kept.shrink_to(kept_count);
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::function<bool(EntryIndex)> is_in(const SpillArray<EntryIndex>& sorted) {
  return [&sorted](EntryIndex entry) { return std::binary_search(sorted.begin(), sorted.end(), entry); };
}

// Counts one more of a class.
void count_class(PagedVector<uint32_t>& counts, ClassId id) {
  while (counts.size() <= id) counts.push_back(0);
  ++counts[id];
}

bool is_file_with_content(const Entry& entry) { return entry.kind == EntryKind::kFile && entry.content_bytes > 0; }

// Calls `visit` with every file that is not empty.
template <class Visit>
void for_each_file(const Inventory& inventory, Visit&& visit) {
  InventoryWalk walk(inventory);
  for (EntryIndex entry = 0; entry < inventory.entry_count(); ++entry) {
    walk.at(entry, inventory.entry_count());
    if (is_file_with_content(inventory[entry])) visit(entry);
  }
}

SpillArray<EntryIndex> files_of_one_size(const Inventory& inventory) {
  size_t file_count = 0;
  for_each_file(inventory, [&](EntryIndex) { ++file_count; });
  SpillArray<Candidate> candidates(inventory.pages(), file_count);
  Candidate* next = candidates.begin();
  for_each_file(inventory, [&](EntryIndex entry) { *next++ = {inventory[entry].content_bytes, 0, entry}; });
  return not_alone(candidates, inventory.pages());
}

Status find_equal_files(const Inventory& inventory, FilePass& pass, const DuplicateSearch& search,
                        ContentClasses& classes) {
  PageSource* pages = inventory.pages();
  const SpillArray<EntryIndex> same_size = files_of_one_size(inventory);
  SpillArray<Candidate> candidates(pages, same_size.size());
  PIECEWORK_TRY(pass.run(is_in(same_size), [&](const ListedFile& file, const io::File& opened) -> Status {
    const uint64_t file_bytes = inventory[file.entry].content_bytes;
    uint8_t prefix[kPrefixBytes];
    const MutableByteSpan target(prefix, std::min<uint64_t>(kPrefixBytes, file_bytes));
    PIECEWORK_TRY(read_exactly(opened, target, 0));
    candidates[file.position] = {file_bytes, kernels::xxh3_64(target), file.entry};
    return {};
  }));
  const SpillArray<EntryIndex> same_start = not_alone(candidates, pages);
  candidates = {};
  SpillArray<Digest32> contents(pages, same_start.size());
  PIECEWORK_TRY(pass.run(is_in(same_start), [&](const ListedFile& file, const io::File& opened) -> Status {
    PIECEWORK_ASSIGN(contents[file.position],
                     content_sha256(opened, inventory[file.entry].content_bytes, search.read_bytes));
    return {};
  }));
  PagedVector<uint32_t> members(pages);  // by class
  const auto class_of = [&](size_t i) { return classes.table().intern(content_key(contents[i])); };
  for (size_t i = 0; i < same_start.size(); ++i) count_class(members, class_of(i));
  for (size_t i = 0; i < same_start.size(); ++i) {
    const ClassId id = class_of(i);
    if (members[id] > 1) classes.set_file(same_start[i], id, &contents[i]);
  }
  return {};
}

// Digests of a file's chunks, in order.
Status chunk_digests(const io::File& file, uint64_t file_bytes, const Profile& profile,
                     std::atomic<uint64_t>* read_bytes, std::span<Digest32> digests) {
  size_t next = 0;
  return for_each_part(file, file_bytes, profile.chunk_bytes, read_bytes, [&](ByteSpan part) {
    std::vector<kernels::HashJob> jobs;
    for (size_t begin = 0; begin < part.size(); begin += profile.chunk_bytes) {
      const size_t chunk_bytes = std::min<uint64_t>(profile.chunk_bytes, part.size() - begin);
      jobs.push_back({part.data() + begin, chunk_bytes, digests[next++].data()});
    }
    kernels::hash_many(jobs);
  });
}

Digest32 digest_of_digests(std::span<const Digest32> digests) {
  return kernels::sha256({digests.front().data(), digests.size_bytes()});
}

// The digests of the chunks of all files that are not empty.
class AllChunks {
 public:
  AllChunks(const Inventory& inventory, const Profile& profile) : begins_(inventory.pages()) {
    uint64_t chunk_count = 0;
    for_each_file(inventory, [&](EntryIndex entry) {
      begins_.push_back(chunk_count);
      chunk_count += div_ceil(inventory[entry].content_bytes, profile.chunk_bytes);
    });
    begins_.push_back(chunk_count);
    digests_ = SpillArray<Digest32>(inventory.pages(), chunk_count);
  }
  // Of the file at `position` among these.
  std::span<Digest32> of(size_t position) const {
    return {digests_.begin() + begins_[position], digests_.begin() + begins_[position + 1]};
  }
  const SpillArray<Digest32>& all() const { return digests_; }

 private:
  PagedVector<uint64_t> begins_;
  SpillArray<Digest32> digests_;
};

Status find_equal_blocks(const Inventory& inventory, FilePass& pass, const Profile& profile,
                         const DuplicateSearch& search, ContentClasses& classes) {
  const AllChunks digests(inventory, profile);
  PIECEWORK_TRY(pass.run([](EntryIndex) { return true; },
                         [&](const ListedFile& file, const io::File& opened) -> Status {
                           return chunk_digests(opened, inventory[file.entry].content_bytes, profile, search.read_bytes,
                                                digests.of(file.position));
                         }));
  // Only chunks that occur more than once are classed: the others cannot be referred to.
  ClassTable seen(inventory.pages());
  PagedVector<uint32_t> occurrences(inventory.pages());
  for (const Digest32& digest : digests.all()) count_class(occurrences, seen.intern(digest));
  std::vector<ClassId> chunks;
  size_t position = 0;
  for_each_file(inventory, [&](EntryIndex entry) {
    chunks.clear();
    const std::span<const Digest32> own = digests.of(position++);
    for (const Digest32& digest : own) {
      const bool repeated = occurrences[seen.intern(digest)] > 1;
      chunks.push_back(repeated ? classes.table().intern(content_key(digest)) : kUnique);
    }
    const auto inner = file_node_classes(classes.table(), chunks, profile.max_links);
    const Digest32 content = digest_of_digests(own);
    classes.set_file(entry, inner.empty() ? chunks.front() : inner.back().front(), &content, chunks);
  });
  return {};
}

}  // namespace

Result<ContentClasses> find_duplicates(const Inventory& inventory, const SourceSet& sources, const Profile& profile,
                                       const DuplicateSearch& search) {
  ContentClasses classes(search.dedup, inventory.pages());
  FilePass pass(inventory, sources, search.thread_count, search.stop);
  switch (search.dedup) {
    case Dedup::kNone:
      break;
    case Dedup::kFiles:
      PIECEWORK_TRY(find_equal_files(inventory, pass, search, classes));
      break;
    case Dedup::kBlocks:
      PIECEWORK_TRY(find_equal_blocks(inventory, pass, profile, search, classes));
      break;
  }
  PIECEWORK_TRY(inventory.status());
  return classes;
}

}  // namespace piecework::engine
