// The bet on layout, holes and late links: what one pass through the stages writes equals what a writer does that first
// makes every block in memory, bottom-up, and then writes them in order. The two share nothing but the codecs'
// encoders.
//
// Random trees over small chunks and thresholds, with runs cut after a few events, so that nearly every parent is late.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/batch_layout.h"
#include "engine/piece/commp.h"
#include "engine/piece/digest_run.h"
#include "engine/piece/piece_stages.h"
#include "engine/plan/plan_file.h"
#include "kernels/sha256/sha256.h"
#include "tests/engine/piece/two_pass_writer.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::Made;
using testing::TreeNode;
using testing::TwoPassWriter;
using Random = std::mt19937_64;

uint64_t below(Random& random, uint64_t bound) { return random() % bound; }

std::string random_text(Random& random, size_t length) {
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(below(random, 3) == 0 ? 'a' : 'a' + below(random, 26));
  return text;
}

TreeNode random_leaf(Random& random, std::vector<TreeNode>& seen) {
  if (!seen.empty() && below(random, 4) == 0) return seen[below(random, seen.size())];  // equal content
  TreeNode node;
  switch (below(random, 8)) {
    case 0:
      node.kind = EntryKind::kSymlink;
      node.content = random_text(random, 1 + below(random, 40));
      break;
    case 1:
      node.kind = EntryKind::kDirectory;
      break;  // empty
    case 2:
      break;  // an empty file
    case 3:
      node.content = std::string(below(random, 600), 'z');
      break;  // chunks repeat
    default:
      node.content = random_text(random, below(random, 900));
      break;
  }
  seen.push_back(node);
  return node;
}

// Grown by inserting leaves at random depths; now and then a whole subtree is copied.
TreeNode random_tree(Random& random, size_t leaf_count, size_t depth_max) {
  TreeNode root{EntryKind::kDirectory, {}, {}};
  std::vector<TreeNode> seen;
  for (size_t i = 0; i < leaf_count; ++i) {
    TreeNode* at = &root;
    for (size_t depth = below(random, depth_max + 1); depth > 0; --depth) {
      TreeNode& child = at->children["d" + std::to_string(below(random, 3))];
      if (child.children.empty() && child.kind != EntryKind::kDirectory) child = {EntryKind::kDirectory, {}, {}};
      at = &child;
    }
    const std::string name = (below(random, 5) == 0 ? "." : "") + random_text(random, 1 + below(random, 12));
    if (name.front() != 'd') at->children.emplace(name, random_leaf(random, seen));
    if (below(random, 25) == 0 && at != &root) root.children["copy" + std::to_string(i)] = TreeNode(*at);
  }
  return root;
}

Profile random_profile(Random& random) {
  Profile profile;
  profile.chunk_bytes = 16 + below(random, 200);
  profile.max_links = 2 + static_cast<uint32_t>(below(random, 4));
  profile.raw_leaves = below(random, 2) == 0;
  profile.cid_version = static_cast<uint8_t>(below(random, 2));
  profile.hamt_rule = below(random, 2) == 0 ? HamtRule::kBlockBytes : HamtRule::kLinksBytes;
  profile.hamt_threshold_bytes = below(random, 1500);
  return profile;
}

// ---- The one-pass writer, single-threaded ---------------------------------------------------------------------------

void add_to_inventory(const TreeNode& node, const std::string& name, const std::string& path, Inventory& inventory,
                      std::map<std::string, const TreeNode*>& by_path, std::vector<const TreeNode*>& by_entry) {
  if (node.kind == EntryKind::kFile) by_path[path] = &node;
  by_entry.push_back(&node);
  if (node.kind == EntryKind::kFile) {
    inventory.add_file(name, node.content.size(), 0);
  } else if (node.kind == EntryKind::kSymlink) {
    inventory.add_symlink(name, node.content);
  } else {
    const EntryIndex directory = inventory.open_directory(name);
    for (const auto& [child_name, child] : node.children) {
      add_to_inventory(child, child_name, path.empty() ? child_name : path + "/" + child_name, inventory, by_path,
                       by_entry);
    }
    inventory.close_directory(directory);
  }
}

ContentClasses classes_of(const std::vector<const TreeNode*>& entries, const Profile& profile, Dedup dedup) {
  ContentClasses classes(dedup);
  const auto digest = [](std::string_view text) { return kernels::sha256(as_bytes(text)); };
  for (EntryIndex i = 0; i < entries.size() && dedup != Dedup::kNone; ++i) {
    const TreeNode& node = *entries[i];
    if (node.kind != EntryKind::kFile || node.content.empty()) continue;
    const Digest32 content = digest(node.content);
    if (dedup == Dedup::kFiles) {
      classes.set_file(i, classes.table().intern(content_key(content)), &content);
      continue;
    }
    std::vector<ClassId> chunks;
    for (size_t at = 0; at < node.content.size(); at += profile.chunk_bytes) {
      const std::string_view chunk = std::string_view(node.content).substr(at, profile.chunk_bytes);
      chunks.push_back(classes.table().intern(content_key(digest(chunk))));
    }
    const auto inner = file_node_classes(classes.table(), chunks, profile.max_links);
    classes.set_file(i, inner.empty() ? chunks.front() : inner.back().front(), &content, chunks);
  }
  return classes;
}

class NoFiles : public PackedFileSink {
 public:
  Status add(const PackedFile& file) override {
    EXPECT_TRUE(paths.insert(std::string(file.path)).second) << "listed twice: " << file.path;
    return {};
  }
  std::set<std::string> paths;
};

struct OnePass {
  std::string car;
  std::string root;
  Digest32 piece_root{};
  LayoutTotals totals;
  uint64_t waiting_segments_max = 0;
  uint64_t waiting_bytes_max = 0;
  uint64_t run_count = 0;
};

// What a flow graph would do, in a loop; file bytes come from the tree.
OnePass write_in_one_pass(const TreeNode& tree, const Profile& profile, Dedup dedup, uint32_t events_per_run) {
  const piecework::testing::TempDir directory;
  Inventory inventory;
  std::map<std::string, const TreeNode*> by_path;
  std::vector<const TreeNode*> by_entry;
  add_to_inventory(tree, {}, {}, inventory, by_path, by_entry);
  ContentClasses classes = classes_of(by_entry, profile, dedup);
  PlanOptions options;
  options.profile = profile;
  options.dedup = dedup;
  const std::string plan_path = directory / "plan";
  {
    auto writer = PlanWriter::create(plan_path, options);
    EXPECT_TRUE(writer.has_value()) << writer.error().message;
    auto layout = BatchLayout::compute(inventory, classes, profile, {0, inventory.entry_count()});
    EXPECT_TRUE(layout.has_value()) << layout.error().message;
    EXPECT_TRUE((*writer)->add_batch(*layout).has_value());
    EXPECT_TRUE((*writer)->finish(inventory, {}).has_value());
  }
  auto plan = PlanReader::open(plan_path);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  const PlannedBatch& batch = (*plan)->summary().batches[0];
  auto spool = NodesSpool::create(directory.path());
  auto store = ClassStore::create(batch.totals.class_count, directory.path());
  auto records = (*plan)->read_batch(0);
  EXPECT_TRUE(spool && store && records);
  const auto backend = io::make_backend({.kind = io::BackendKind::kPosix, .thread_count = 1});
  const SourceSet sources;
  NoFiles files;
  const int car_fd = memfd_create("car", MFD_CLOEXEC);
  PieceInputs inputs{.profile = profile,
                     .batch = batch,
                     .sources = sources,
                     .backend = **backend,
                     .limits = {},
                     .car_fd = car_fd,
                     .spool = *spool,
                     .files = files};
  inputs.limits.events_per_run_max = events_per_run;
  PieceStages stages(std::move(*records), std::move(*store), inputs);
  std::vector<uint8_t> buffer(inputs.limits.slot_bytes);
  Run run;
  OnePass result;
  while (run.slot.bytes = buffer, stages.source(run)) {
    for (const FileToRead& file : run.files) {
      const std::string& content = by_path.at(std::string(run.text(file.path_position, file.path_bytes)))->content;
      for (uint32_t i = file.extent_begin; i < file.extent_end; ++i) {
        const ReadExtent& extent = run.extents[i];
        std::copy_n(content.data() + extent.file_offset_bytes, extent.length_bytes,
                    buffer.data() + extent.buffer_offset_bytes);
      }
    }
    stages.digest(run);
    stages.fill(run);
    stages.hash(run);
    if (stages.wants_write(run)) {
      const io::WriteRequest write = stages.write_request(run);
      EXPECT_EQ(pwrite(write.fd, write.source.data(), write.source.size(), static_cast<off_t>(write.offset_bytes)),
                static_cast<ssize_t>(write.source.size()));
    }
    stages.commit(run);
    ++result.run_count;
  }
  const auto outcome = stages.finish();
  EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
  if (!outcome) return result;
  result.car.resize(batch.totals.car_bytes);
  EXPECT_EQ(pread(car_fd, result.car.data(), result.car.size(), 0), static_cast<ssize_t>(result.car.size()));
  EXPECT_EQ(lseek(car_fd, 0, SEEK_END), static_cast<off_t>(batch.totals.car_bytes))
      << "predicted and written length differ";
  close(car_fd);
  EXPECT_EQ(outcome->block_count, batch.totals.block_count);
  result.root.assign(outcome->root_cid.begin(), outcome->root_cid.end());
  result.piece_root = outcome->piece_root;
  result.totals = batch.totals;
  result.waiting_segments_max = outcome->waiting_segments_max;
  result.waiting_bytes_max = outcome->waiting_bytes_max;
  return result;
}

Digest32 commp_of(const std::string& bytes) {
  CommpAccumulator accumulator;
  accumulator.append(as_bytes(bytes));
  return accumulator.finish().root;
}

// With every digest known the bytes are those of the two-pass writer; with less, the root is and the piece is
// consistent.
void compare(const TreeNode& tree, const Profile& profile, uint32_t events_per_run) {
  TwoPassWriter writer(profile);
  const Made root = writer.make(tree);
  const std::string expected = writer.car(root.cid);
  for (const Dedup dedup : {Dedup::kBlocks, Dedup::kFiles, Dedup::kNone}) {
    const OnePass got = write_in_one_pass(tree, profile, dedup, events_per_run);
    ASSERT_EQ(to_hex(as_bytes(got.root)), to_hex(as_bytes(root.cid))) << dedup_name(dedup);
    ASSERT_EQ(to_hex(got.piece_root), to_hex(commp_of(got.car))) << dedup_name(dedup);
    if (dedup == Dedup::kBlocks) {
      ASSERT_TRUE(got.car == expected) << "CARs differ";
    }
    ASSERT_GE(got.car.size(), expected.size());
  }
}

size_t tree_count() {
  const char* wanted = std::getenv("PIECEWORK_RANDOM_TREES");
  return wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 60;
}

TEST(OnePass, EqualsATwoPassWriterOnRandomTrees) {
  for (size_t seed = 0; seed < tree_count(); ++seed) {
    Random random(seed);
    const Profile profile = random_profile(random);
    const TreeNode tree = random_tree(random, 1 + below(random, 60), below(random, 6));
    const uint32_t events_per_run = 1 + static_cast<uint32_t>(below(random, 12));
    compare(tree, profile, events_per_run);
    if (HasFatalFailure()) FAIL() << "seed " << seed << ", " << profile.canonical_text();
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kDeepest = 1000;  // this file's helpers recurse, in frames that sanitizers widen
#else
constexpr size_t kDeepest = 10000;
#endif

TEST(OnePass, DeepTrees) {
  for (const size_t depth : {size_t{200}, kDeepest}) {
    TreeNode tree{EntryKind::kDirectory, {}, {}};
    TreeNode* at = &tree;
    for (size_t i = 0; i < depth; ++i) {
      if (i % 10 == 0) at->children["a"] = {EntryKind::kFile, std::string(3000, static_cast<char>('a' + i % 26)), {}};
      at = &at->children["b"];
      *at = {EntryKind::kDirectory, {}, {}};
    }
    Profile profile;
    profile.chunk_bytes = 256;
    TwoPassWriter writer(profile);
    const OnePass got = write_in_one_pass(tree, profile, Dedup::kBlocks, 64);
    EXPECT_TRUE(got.car == writer.car(writer.make(tree).cid));
    EXPECT_EQ(to_hex(got.piece_root), to_hex(commp_of(got.car)));
    std::cout << "depth " << depth << ": " << got.waiting_segments_max << " segments and " << got.waiting_bytes_max
              << " bytes waited at most, CAR of " << got.car.size() << " bytes in " << got.run_count << " runs\n";
    while (!tree.children.empty()) tree = TreeNode(std::move(tree.children.rbegin()->second));  // not recursively
  }
}

TEST(OnePass, BlocksOverThreeSegments) {
  TreeNode tree{EntryKind::kDirectory, {}, {}};
  Random random(7);
  for (const char* name : {"one", "two", "three"}) {
    std::string content(9 * kMiB + 12345, '\0');
    for (char& c : content) c = static_cast<char>(random());
    tree.children[name] = {EntryKind::kFile, std::move(content), {}};
  }
  Profile profile;
  profile.chunk_bytes = kChunkBytesMax;
  profile.max_links = 3;
  compare(tree, profile, 3);
}

// The same bytes once as a raw file and once as a dag-pb directory node are two sections, and the second has its
// children.
TEST(OnePass, SameBytesAsFileAndAsDirectory) {
  TreeNode directory{EntryKind::kDirectory, {}, {}};
  directory.children["x"] = {EntryKind::kFile, "content of x", {}};
  Profile profile;
  TwoPassWriter maker(profile);
  const std::string block_cid = maker.make(directory).cid;
  const std::string car = maker.car(block_cid);
  const size_t header_bytes = car_v1_header_bytes(block_cid.size());
  const DecodedVarint length = decode_varint(as_bytes(car).subspan(header_bytes));
  const size_t section = header_bytes + length.length_bytes;
  const std::string block = car.substr(section + block_cid.size(), length.value - block_cid.size());
  TreeNode tree{EntryKind::kDirectory, {}, {}};
  tree.children["a-file"] = {EntryKind::kFile, block, {}};
  tree.children["directory"] = directory;
  compare(tree, profile, 1);
  const OnePass got = write_in_one_pass(tree, profile, Dedup::kBlocks, 1);
  EXPECT_EQ(got.totals.block_count, 4u) << "root, raw file, directory, x";
}

}  // namespace
}  // namespace piecework::engine
