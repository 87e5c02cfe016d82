#include "engine/pack_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/pack_job.h"
#include "engine/plan/read_known.h"
#include "io/dir_reader.h"
#include "kernels/base/endian.h"

namespace piecework::engine {
namespace {

constexpr size_t kJobDigits = 16;
constexpr size_t kDigestDigits = 2 * kDigestBytes;

void append_text(kernels::Sha256& hasher, std::string_view text) {
  uint8_t length[8];
  store_le<uint64_t>(length, text.size());
  hasher.append(length);
  hasher.append(as_bytes(text));
}

// "-<job>.open". Two runs are of one job where they ask for the same: options, grain, sources and list of roots.
std::string open_suffix(const PackRequest& request, const SourceSet& sources) {
  kernels::Sha256 hasher;
  hasher.append(as_bytes("piecework job 1\n"));
  append_text(hasher, request.options.canonical_text());
  append_text(hasher, request.roots_path);
  for (const Source& source : sources.sources()) {
    append_text(hasher, source.name);
    append_text(hasher, source.path);
    append_text(hasher, std::to_string(static_cast<int>(source.kind)));
  }
  if (request.known_grain == KnownGrain::kBlock) append_text(hasher, "known-grain=block");
  return fmt::format("-{}.open", to_hex(hasher.finish()).substr(0, kJobDigits));
}

}  // namespace

Result<PlanChooser> PlanChooser::open(const PackRequest& request, const io::OutputDirectory& output) {
  PIECEWORK_ASSIGN(io::OutputDirectory plans, output.subdirectory("plans"));
  PlanChooser chooser(request, output, std::move(plans));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, io::stamp_fd(output.fd(), ErrorSide::kDestination, output.path()));
  const std::pair<uint64_t, uint64_t> identity{stamp.device, stamp.inode};
  PIECEWORK_ASSIGN(chooser.excluded_directories_, identities_of(request.known_paths));
  auto& excluded = chooser.excluded_directories_;
  // Standard input cannot be read again by a later run: what a plan of it has not done stays undone.
  const bool is_repeatable = std::none_of(request.sources.begin(), request.sources.end(),
                                          [](const Source& source) { return source.path == kStandardInput; });
  chooser.knows_its_output_ =
      is_repeatable && std::find(excluded.begin(), excluded.end(), identity) != excluded.end();
  excluded.push_back(identity);
  return chooser;
}

Result<std::vector<std::string>> PlanChooser::plan_names() const {
  PIECEWORK_ASSIGN(const io::File directory, io::open_named_directory(plans_.path(), ErrorSide::kDestination));
  PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(directory));
  std::vector<std::string> names;
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const std::string_view name = listing.entry(i).name;
    if (!name.starts_with('.')) names.emplace_back(name);
  }
  return names;
}

Result<std::optional<ChosenPlan>> PlanChooser::find_open_plan(const std::vector<std::string>& names,
                                                              const std::string& suffix) const {
  for (const std::string& name : names) {
    if (name.size() != kDigestDigits + suffix.size() || !name.ends_with(suffix)) continue;
    auto reader = PlanReader::open(plans_.path_of(name.substr(0, kDigestDigits)));
    if (!reader && reader.error().code == ErrorCode::kNotFound) {
      PIECEWORK_TRY(remove_open(name));
      continue;
    }
    if (!reader) return tl::unexpected<Error>(std::move(reader).error());
    PlanSummary summary = (*reader)->summary();
    return ChosenPlan{std::move(summary), std::move(*reader), name, /*was_begun=*/true};
  }
  return std::nullopt;
}

// Reads what is known, or finds that an open plan comes first. Another copy of this job may be at work: a plan that it
// began while the receipts were read is in the list of plans by then, and would be missed or counted in part.
Result<std::optional<ChosenPlan>> PlanChooser::take_known(const std::string& suffix) {
  for (;;) {
    std::vector<std::string> names;
    if (knows_its_output_) {
      PIECEWORK_ASSIGN(names, plan_names());
      PIECEWORK_ASSIGN(std::optional<ChosenPlan> open_plan, find_open_plan(names, suffix));
      if (open_plan) return open_plan;
    }
    KnownRequest known_request{.directories = request_.known_paths,
                               .by_content = request_.known_by_content,
                               .grain = request_.known_grain,
                               .profile = request_.options.profile,
                               .stop = request_.stop,
                               .warning = {}};
    if (!has_warned_) known_request.warning = request_.warning;
    has_warned_ = true;
    PIECEWORK_ASSIGN(known_, read_known_items(known_request));
    if (!knows_its_output_) return std::nullopt;
    PIECEWORK_ASSIGN(const std::vector<std::string> names_now, plan_names());
    if (names_now == names) return std::nullopt;
  }
}

Result<ChosenPlan> PlanChooser::make_plan_of(const SourceSet& sources, const std::vector<SkippedItem>& excluded) const {
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(plans_, "plan"));
  const PlanRequest plan_request{.options = request_.options,
                                 .on_source_error = request_.on_source_error,
                                 .excluded_directories = excluded_directories_,
                                 .excluded_items = excluded,
                                 .known = request_.known_paths.empty() ? nullptr : &known_,
                                 .known_grain = request_.known_grain,
                                 .roots_path = request_.roots_path,
                                 .scratch_path = request_.scratch_path.empty() ? plans_.path() : request_.scratch_path,
                                 .memory_bytes = request_.memory_bytes,
                                 .thread_count = request_.thread_count,
                                 .stop = request_.stop,
                                 .warning = request_.warning,
                                 .progress = request_.progress != nullptr ? &request_.progress->plan : nullptr};
  ChosenPlan chosen;
  PIECEWORK_ASSIGN(chosen.summary, make_plan(sources, plan_request, file.path()));
  if (chosen.summary.batches.empty()) {
    PIECEWORK_TRY(file.discard());
    return chosen;
  }
  const std::string digest = chosen.summary.digest_text();
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(digest));
  if (outcome == io::CommitOutcome::kAlreadyExists) PIECEWORK_TRY(file.discard());
  PIECEWORK_ASSIGN(chosen.reader, PlanReader::open(plans_.path_of(digest)));
  return chosen;
}

Result<ChosenPlan> PlanChooser::choose(const SourceSet& sources, const std::vector<SkippedItem>& excluded) {
  PIECEWORK_TRY(check_known_grain(sources, request_.known_grain));
  const std::string suffix = open_suffix(request_, sources);
  if (!request_.known_paths.empty()) {
    PIECEWORK_ASSIGN(std::optional<ChosenPlan> open_plan, take_known(suffix));
    if (open_plan) return std::move(*open_plan);
  }
  PIECEWORK_ASSIGN(ChosenPlan chosen, make_plan_of(sources, excluded));
  if (!knows_its_output_ || chosen.reader == nullptr) return chosen;
  chosen.open_name = chosen.summary.digest_text() + suffix;
  PIECEWORK_TRY(mark_open(chosen.open_name));
  return chosen;
}

Status PlanChooser::mark_open(const std::string& name) const {
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(plans_, "open"));
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(name));
  return outcome == io::CommitOutcome::kAlreadyExists ? file.discard() : Status();
}

Status PlanChooser::remove_open(const std::string& name) const {
  PIECEWORK_TRY(plans_.remove(name));
  // A run that was killed while it made such a file has left its temporary.
  PIECEWORK_ASSIGN(io::PublishedFile leftover, io::open_unshared(plans_, "open"));
  PIECEWORK_TRY(leftover.discard());
  return plans_.sync();
}

Status PlanChooser::close(const ChosenPlan& plan) const {
  return plan.open_name.empty() ? Status() : remove_open(plan.open_name);
}

Status PlanChooser::give_up(const ChosenPlan& plan) const {
  PIECEWORK_TRY(remove_open(plan.open_name));
  for (const PlannedBatch& batch : plan.summary.batches) {
    PIECEWORK_TRY(remove_leftovers(plan.summary, batch.batch, output_));
  }
  return {};
}

Status keep_plan(const std::string& plan_path, const PlanSummary& plan, const io::OutputDirectory& output) {
  constexpr size_t kPartBytes = size_t{1} << 20;
  const std::string digest = plan.digest_text();
  PIECEWORK_ASSIGN(const io::OutputDirectory plans, output.subdirectory("plans"));
  const std::string what = "plan-" + digest;
  PIECEWORK_ASSIGN(const std::optional<io::FileStamp> stamp, plans.try_stamp(digest));
  PIECEWORK_ASSIGN(const std::optional<io::FileStamp> leftover, plans.try_stamp(io::temporary_name(what)));
  if (stamp && !leftover) return {};
  PIECEWORK_ASSIGN(std::optional<io::PublishedFile> copy,
                   io::PublishedFile::open(plans, what, io::PublishedFile::Mode::kFresh));
  if (!copy) return {};                // another task is at it
  if (stamp) return copy->discard();  // one was killed between the name and the removal of the temporary
  PIECEWORK_ASSIGN(const io::File source, io::open_named(plan_path, ErrorSide::kConfig));
  std::vector<uint8_t> part(kPartBytes);
  for (uint64_t offset = 0;;) {
    PIECEWORK_ASSIGN(const size_t got, source.read_full(part, offset));
    PIECEWORK_TRY(copy->write(ByteSpan(part).first(got), offset));
    offset += got;
    if (got < part.size()) break;
  }
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, copy->commit(digest));
  return outcome == io::CommitOutcome::kAlreadyExists ? copy->discard() : Status();
}

}  // namespace piecework::engine
