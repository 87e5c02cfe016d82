// Random trees, and the one-pass writer: the pipeline's stages in a loop in one thread, for tests. With stops, as if
// one process after the other had worked on the piece.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/batch_layout.h"
#include "engine/piece/piece_stages.h"
#include "engine/plan/plan_file.h"
#include "kernels/sha256/sha256.h"
#include "tests/engine/piece/two_pass_writer.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine::testing {

using Random = std::mt19937_64;

inline uint64_t below(Random& random, uint64_t bound) { return random() % bound; }

inline std::string random_text(Random& random, size_t length) {
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(below(random, 3) == 0 ? 'a' : 'a' + below(random, 26));
  return text;
}

inline TreeNode random_leaf(Random& random, std::vector<TreeNode>& seen) {
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
inline TreeNode random_tree(Random& random, size_t leaf_count, size_t depth_max) {
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

inline Profile random_profile(Random& random) {
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

inline void add_to_inventory(const TreeNode& node, const std::string& name, const std::string& path,
                             Inventory& inventory, std::map<std::string, const TreeNode*>& by_path,
                             std::vector<const TreeNode*>& by_entry) {
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

inline ContentClasses classes_of(const std::vector<const TreeNode*>& entries, const Profile& profile, Dedup dedup) {
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
  Result<uint64_t> flush() override { return paths.size(); }
  std::set<std::string> paths;
};

// Keeps the last checkpoint as a file would: nothing but bytes.
class CheckpointInMemory : public CheckpointSink {
 public:
  explicit CheckpointInMemory(Random* random) : random_(random) {}

  Status add_classes(std::span<const ClassPut> puts) override {
    new_classes_.insert(new_classes_.end(), puts.begin(), puts.end());
    return {};
  }
  bool is_due(uint64_t /*car_bytes*/) override { return below(*random_, 3) == 0; }
  Status append(const PieceCheckpoint& checkpoint) override {
    point.car_bytes = checkpoint.car_bytes;
    point.spool_bytes = checkpoint.spool_bytes;
    point.file_table_bytes = checkpoint.file_table_bytes;
    point.is_complete = checkpoint.is_complete;
    point.state.assign(checkpoint.state.begin(), checkpoint.state.end());
    point.roots.insert(point.roots.end(), checkpoint.new_roots.begin(), checkpoint.new_roots.end());
    classes.insert(classes.end(), new_classes_.begin(), new_classes_.end());
    new_classes_.clear();
    return {};
  }
  void forget_what_came_after() { new_classes_.clear(); }

  ResumePoint point;
  std::vector<ClassPut> classes;

 private:
  Random* random_;
  std::vector<ClassPut> new_classes_;
};

struct OnePass {
  std::string car;
  std::string root;
  Digest32 piece_root{};
  LayoutTotals totals;
  SidecarContent nodes;
  uint64_t waiting_segments_max = 0;
  uint64_t waiting_bytes_max = 0;
  uint64_t run_count = 0;
  uint64_t stop_count = 0;
};

// What a flow graph would do, in a loop; file bytes come from the tree. With `stops`, one run in a few is the last of
// its process.
inline OnePass write_in_one_pass(const TreeNode& tree, const Profile& profile, Dedup dedup, uint32_t events_per_run,
                                 Random* stops = nullptr) {
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
    auto layout = BatchLayout::compute(inventory, classes, profile, {{0, inventory.entry_count()}});
    EXPECT_TRUE(layout.has_value()) << layout.error().message;
    EXPECT_TRUE((*writer)->add_batch(*layout).has_value());
    EXPECT_TRUE((*writer)->finish(inventory, {}).has_value());
  }
  auto plan = PlanReader::open(plan_path);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  const PlannedBatch& batch = (*plan)->summary().batches[0];
  const auto output = io::OutputDirectory::open_or_create(directory.path());
  auto spool_file = io::PublishedFile::open(*output, "spool", io::PublishedFile::Mode::kFresh);
  EXPECT_TRUE(spool_file && *spool_file);
  NodesSpool spool(**spool_file);
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
                     .spool = spool,
                     .files = files};
  inputs.limits.events_per_run_max = events_per_run;
  std::vector<uint8_t> buffer(inputs.limits.slot_bytes);
  OnePass result;
  CheckpointInMemory checkpoints(stops);
  if (stops != nullptr) inputs.checkpoints = &checkpoints;
  std::optional<PieceStages> stages;
  const auto start = [&] {
    auto store = ClassStore::create(batch.totals.class_count, directory.path());
    auto records = (*plan)->read_batch(0);
    ASSERT_TRUE(store && records);
    for (const ClassPut& put : checkpoints.classes) ASSERT_TRUE(store->put(put.class_index, put.entry));
    checkpoints.forget_what_came_after();
    stages.emplace(std::move(*records), std::move(*store), inputs);
    if (checkpoints.point.car_bytes == 0) return;
    const Status restored = stages->restore(checkpoints.point);
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
  };
  start();
  for (Run run; run.slot.bytes = buffer, !checkpoints.point.is_complete && stages->source(run);) {
    for (const FileToRead& file : run.files) {
      const std::string& content = by_path.at(std::string(run.text(file.path_position, file.path_bytes)))->content;
      for (uint32_t i = file.extent_begin; i < file.extent_end; ++i) {
        const ReadExtent& extent = run.extents[i];
        std::copy_n(content.data() + extent.file_offset_bytes, extent.length_bytes,
                    buffer.data() + extent.buffer_offset_bytes);
      }
    }
    stages->digest(run);
    stages->fill(run);
    stages->hash(run);
    if (stages->wants_write(run)) {
      const io::WriteRequest write = stages->write_request(run);
      EXPECT_EQ(pwrite(write.fd, write.source.data(), write.source.size(), static_cast<off_t>(write.offset_bytes)),
                static_cast<ssize_t>(write.source.size()));
    }
    stages->commit(run);
    EXPECT_TRUE(run.status.has_value()) << run.status.error().message;
    ++result.run_count;
    if (stops == nullptr || below(*stops, 4) != 0) continue;
    ++result.stop_count;
    inputs.limits.events_per_run_max = 1 + static_cast<uint32_t>(below(*stops, 2 * events_per_run));
    files.paths.clear();  // a file may be listed again, with the same bytes
    start();
  }
  const auto outcome = stages->finish();
  EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
  if (!outcome) return result;
  result.car.resize(batch.totals.car_bytes);
  EXPECT_EQ(pread(car_fd, result.car.data(), result.car.size(), 0), static_cast<ssize_t>(result.car.size()));
  EXPECT_EQ(lseek(car_fd, 0, SEEK_END), static_cast<off_t>(batch.totals.car_bytes))
      << "predicted and written length differ";
  close(car_fd);
  auto nodes_file = io::PublishedFile::open(*output, "nodes", io::PublishedFile::Mode::kFresh);
  EXPECT_TRUE(nodes_file && *nodes_file);
  const auto nodes =
      spool.finish(outcome->spool_bytes, car_v1_header_bytes(outcome->root_cid.size()), **nodes_file, nullptr);
  EXPECT_TRUE(nodes.has_value()) << nodes.error().message;
  if (nodes) result.nodes = *nodes;
  EXPECT_EQ(outcome->block_count, batch.totals.block_count);
  result.root.assign(outcome->root_cid.begin(), outcome->root_cid.end());
  result.piece_root = outcome->piece_root;
  result.totals = batch.totals;
  result.waiting_segments_max = outcome->waiting_segments_max;
  result.waiting_bytes_max = outcome->waiting_bytes_max;
  return result;
}

// Seeds from `begin` up to and without `end`; PIECEWORK_RANDOM_TREES="A-B" asks for others than the usual ones.
struct SeedRange {
  size_t begin = 0;
  size_t end = 60;
};

inline SeedRange tree_seeds() {
  SeedRange seeds;
  if (const char* wanted = std::getenv("PIECEWORK_RANDOM_TREES")) {
    char* rest = nullptr;
    seeds.begin = std::strtoul(wanted, &rest, 10);
    seeds.end = *rest == '-' ? std::strtoul(rest + 1, nullptr, 10) : seeds.begin;
  }
  EXPECT_LT(seeds.begin, seeds.end) << "PIECEWORK_RANDOM_TREES: expected A-B";
  return seeds;
}

}  // namespace piecework::engine::testing
