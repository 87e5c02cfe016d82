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

std::vector<EntryIndex> not_alone(std::vector<Candidate>& candidates) {
  const auto same = [](const Candidate& a, const Candidate& b) {
    return a.file_bytes == b.file_bytes && a.key == b.key;
  };
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.file_bytes, a.key, a.entry) < std::tie(b.file_bytes, b.key, b.entry);
  });
  std::vector<EntryIndex> kept;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const bool with_previous = i > 0 && same(candidates[i - 1], candidates[i]);
    const bool with_next = i + 1 < candidates.size() && same(candidates[i], candidates[i + 1]);
    if (with_previous || with_next) kept.push_back(candidates[i].entry);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::function<bool(EntryIndex)> is_in(const std::vector<EntryIndex>& sorted) {
  return [&sorted](EntryIndex entry) { return std::binary_search(sorted.begin(), sorted.end(), entry); };
}

Status find_equal_files(const Inventory& inventory, FilePass& pass, const DuplicateSearch& search,
                        ContentClasses& classes) {
  std::vector<Candidate> candidates;
  for (EntryIndex entry = 0; entry < inventory.entry_count(); ++entry) {
    const Entry& record = inventory[entry];
    if (record.kind == EntryKind::kFile && record.content_bytes > 0)
      candidates.push_back({record.content_bytes, 0, entry});
  }
  const std::vector<EntryIndex> same_size = not_alone(candidates);
  candidates.assign(same_size.size(), {});
  PIECEWORK_TRY(pass.run(is_in(same_size), [&](const ListedFile& file, const io::File& opened) -> Status {
    const uint64_t file_bytes = inventory[file.entry].content_bytes;
    uint8_t prefix[kPrefixBytes];
    const MutableByteSpan target(prefix, std::min<uint64_t>(kPrefixBytes, file_bytes));
    PIECEWORK_TRY(read_exactly(opened, target, 0));
    candidates[file.position] = {file_bytes, kernels::xxh3_64(target), file.entry};
    return {};
  }));
  const std::vector<EntryIndex> same_start = not_alone(candidates);
  std::vector<Digest32> contents(same_start.size());
  PIECEWORK_TRY(pass.run(is_in(same_start), [&](const ListedFile& file, const io::File& opened) -> Status {
    PIECEWORK_ASSIGN(contents[file.position],
                     content_sha256(opened, inventory[file.entry].content_bytes, search.read_bytes));
    return {};
  }));
  std::unordered_map<ClassId, uint32_t> members;
  std::vector<ClassId> ids(same_start.size());
  for (size_t i = 0; i < same_start.size(); ++i) {
    ids[i] = classes.table().intern(content_key(contents[i]));
    ++members[ids[i]];
  }
  for (size_t i = 0; i < same_start.size(); ++i) {
    if (members[ids[i]] > 1) classes.set_file(same_start[i], ids[i], &contents[i]);
  }
  return {};
}

// Digests of a file's chunks, in order.
Status chunk_digests(const io::File& file, uint64_t file_bytes, const Profile& profile,
                     std::atomic<uint64_t>* read_bytes, std::vector<Digest32>& digests) {
  digests.resize(div_ceil(file_bytes, profile.chunk_bytes));
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

Status find_equal_blocks(const Inventory& inventory, FilePass& pass, const Profile& profile,
                         const DuplicateSearch& search, ContentClasses& classes) {
  std::vector<EntryIndex> files;
  for (EntryIndex entry = 0; entry < inventory.entry_count(); ++entry) {
    if (inventory[entry].kind == EntryKind::kFile && inventory[entry].content_bytes > 0) files.push_back(entry);
  }
  std::vector<std::vector<Digest32>> digests(files.size());
  PIECEWORK_TRY(pass.run([](EntryIndex) { return true; },
                         [&](const ListedFile& file, const io::File& opened) -> Status {
                           return chunk_digests(opened, inventory[file.entry].content_bytes, profile, search.read_bytes,
                                                digests[file.position]);
                         }));
  // Only chunks that occur more than once are classed: the others cannot be referred to.
  ClassTable seen;
  std::vector<uint32_t> occurrences(1, 0);
  const auto count = [&](const Digest32& digest) {
    const ClassId id = seen.intern(digest);
    if (id >= occurrences.size()) occurrences.resize(id + 1, 0);
    ++occurrences[id];
  };
  for (const auto& list : digests) std::for_each(list.begin(), list.end(), count);
  std::vector<ClassId> chunks;
  for (size_t i = 0; i < files.size(); ++i) {
    chunks.clear();
    for (const Digest32& digest : digests[i]) {
      const bool repeated = occurrences[seen.intern(digest)] > 1;
      chunks.push_back(repeated ? classes.table().intern(content_key(digest)) : kUnique);
    }
    const auto inner = file_node_classes(classes.table(), chunks, profile.max_links);
    const Digest32 content = digest_of_digests(digests[i]);
    classes.set_file(files[i], inner.empty() ? chunks.front() : inner.back().front(), &content, chunks);
    digests[i] = {};
  }
  return {};
}

}  // namespace

Result<ContentClasses> find_duplicates(const Inventory& inventory, const SourceSet& sources, const Profile& profile,
                                       const DuplicateSearch& search) {
  ContentClasses classes(search.dedup);
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
  return classes;
}

}  // namespace piecework::engine
