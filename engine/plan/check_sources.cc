#include "engine/plan/check_sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/plan/file_pass.h"
#include "engine/plan/record_walk.h"

namespace piecework::engine {
namespace {

// The path of the file that a record is of; none where it is of no file. A part stands in a directory at that path.
std::optional<std::string> file_path(const RecordWalk& walk, const LayoutRecord& record) {
  if (record.kind == RecordKind::kFile) return walk.path();
  if (record.kind != RecordKind::kFilePart) return std::nullopt;
  const std::string& path = walk.path();
  return path.substr(0, path.size() - std::min(path.size(), record.name.size() + 1));
}

// A file or directory where the plan saw a store, or the other way round, cannot be read as planned.
Status check_kinds(const std::vector<Source>& planned, const std::vector<Source>& found) {
  for (size_t i = 0; i < planned.size(); ++i) {
    if (planned[i].kind == found[i].kind) continue;
    return fail(
        ErrorCode::kChanged, ErrorSide::kSource,
        fmt::format("source '{}' is of another kind than the plan saw (file, directory, kubo repository or CAR); "
                    "make the plan again",
                    printable(planned[i].path)));
  }
  return {};
}

// Hands the files of a batch to `use` in rounds.
template <class Use>
Status for_each_round(PlanReader& plan, uint32_t batch, Use use) {
  PIECEWORK_ASSIGN(BatchReader records, plan.read_batch(batch));
  RecordWalk walk(std::move(records));
  std::vector<ListedFile> round;
  std::string last_path;
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, walk.next());
    if (!record) return use(round);
    std::optional<std::string> path = file_path(walk, *record);
    if (!path || (record->kind == RecordKind::kFilePart && *path == last_path)) continue;
    last_path = *path;
    round.push_back({0, 0, std::move(*path), record->file_bytes, record->mtime_ns});
    if (round.size() < kFilesPerRound) continue;
    PIECEWORK_TRY(use(round));
    round.clear();
  }
}

constexpr std::string_view kSince = "since the plan was made";

Status look(const ListedFile& /*file*/, const io::File& /*opened*/) { return {}; }

}  // namespace

Result<SourceSet> open_planned_sources(const PlanSummary& plan, const std::vector<Source>& moved) {
  if (plan.sources.empty()) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, "the plan names no source; make the plan again");
  }
  const auto has_same_name = [](const Source& a, const Source& b) { return a.name == b.name; };
  if (!moved.empty() && !std::equal(moved.begin(), moved.end(), plan.sources.begin(), plan.sources.end(),
                                    has_same_name)) {
    std::string names;
    for (const Source& source : plan.sources) names += (names.empty() ? "" : ", ") + printable(source.name);
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the plan's sources are called {}: give NAME=PATH for each, in this order", names));
  }
  PIECEWORK_ASSIGN(SourceSet opened, SourceSet::open(moved.empty() ? plan.sources : moved, plan.root_joins_sources));
  PIECEWORK_TRY(check_kinds(plan.sources, opened.sources()));
  return opened;
}

Status check_batch_sources(PlanReader& plan, uint32_t batch, const SourceSet& sources, unsigned thread_count,
                           const std::atomic<bool>* stop) {
  if (sources.holds_stores()) return {};
  FileRounds rounds(sources, thread_count, stop, look, kSince);
  return for_each_round(plan, batch, [&rounds](const std::vector<ListedFile>& round) { return rounds.read(round); });
}

Result<std::vector<SkippedItem>> find_failed_sources(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                                                     unsigned thread_count, const std::atomic<bool>* stop) {
  std::vector<SkippedItem> failed;
  if (sources.holds_stores()) return failed;
  FileRounds rounds(sources, thread_count, stop, look, kSince);
  PIECEWORK_TRY(for_each_round(plan, batch, [&](const std::vector<ListedFile>& round) -> Status {
    const Status all = rounds.read(round);
    if (all || !may_skip(all.error(), plan.summary())) return all;
    for (const ListedFile& file : round) {
      const Status one = rounds.read({file});
      if (one) continue;
      if (!may_skip(one.error(), plan.summary())) return one;
      failed.push_back({file.path, one.error().message, 0, batch});
    }
    return {};
  }));
  std::sort(failed.begin(), failed.end(),
            [](const SkippedItem& a, const SkippedItem& b) { return a.path < b.path; });
  return failed;
}

bool may_skip(const Error& error, const PlanSummary& plan) {
  const bool is_item = error.side == ErrorSide::kSource && error.code != ErrorCode::kResourceExhausted &&
                       !error.path.empty();
  return is_item && std::none_of(plan.batches.begin(), plan.batches.end(), [&error](const PlannedBatch& batch) {
           return batch.role.is_join && batch.role.join_path == error.path;
         });
}

}  // namespace piecework::engine
