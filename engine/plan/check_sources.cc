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
  const auto look = [](const ListedFile&, const io::File&) { return Status(); };
  FileRounds rounds(sources, thread_count, stop, look, "since the plan was made");
  PIECEWORK_ASSIGN(BatchReader records, plan.read_batch(batch));
  RecordWalk walk(std::move(records));
  std::vector<ListedFile> round;
  std::string last_path;
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, walk.next());
    if (!record) return rounds.read(round);
    std::optional<std::string> path = file_path(walk, *record);
    if (!path || (record->kind == RecordKind::kFilePart && *path == last_path)) continue;
    last_path = *path;
    round.push_back({0, 0, std::move(*path), record->file_bytes, record->mtime_ns});
    if (round.size() < kFilesPerRound) continue;
    PIECEWORK_TRY(rounds.read(round));
    round.clear();
  }
}

}  // namespace piecework::engine
