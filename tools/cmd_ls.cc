// `piecework ls CAR... [PATH]`: what is in CARs, of directories one level or all; or through a catalogue.
//
// Only nodes are read and checked, not what files hold; that is verify's and extract's.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/restore/measure_tree.h"
#include "engine/restore/tree_walk.h"
#include "tools/car_flags.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/finding_text.h"
#include "tools/json_output.h"

namespace piecework::tools {
namespace {

struct LsFlags {
  CarFlags cars;
  bool recursive = false;
  bool is_long = false;
  bool json = false;
  uint64_t entries_max = engine::RestoreLimits().entry_count_max;
  uint64_t depth_max = engine::RestoreLimits().depth_max;
};

// Prints entries as they come.
class Lister final : public engine::TreeVisitor {
 public:
  explicit Lister(const LsFlags& flags) : flags_(flags) {}

  // `top_path`: what is listed; a directory there is not an entry itself.
  void begin(const engine::Cid& root, const std::string& top_path) {
    root_text_ = root.text();
    top_path_ = top_path;
    is_in_top_ = false;
  }

  Result<bool> enter(const engine::TreeEntry& directory, const engine::NodeCursor& /*node*/) override {
    if (!is_in_top_) {
      is_in_top_ = true;
      return true;
    }
    PIECEWORK_TRY(print(directory));
    return flags_.recursive;
  }
  Status leave() override { return {}; }
  Status file(const engine::TreeEntry& entry, std::unique_ptr<engine::NodeCursor> /*node*/) override {
    return print(entry);
  }
  Status symlink(const engine::TreeEntry& entry) override { return print(entry); }
  Status other(const engine::TreeEntry& entry) override { return print(entry); }
  Status fault(engine::VerifyFinding fault) override {
    problems_.add(std::move(fault));
    return {};
  }

  Status begin_output() { return flags_.json ? put("{\"entries\": [") : Status(); }
  Status end_output() {
    if (!flags_.json) {
      PIECEWORK_TRY(flush());
      print_findings("problem", problems_);
      return {};
    }
    const Json rest = {{"entry_count", count_},
                       {"ok", problems_.count() == 0},
                       {"problems", findings_json(problems_)},
                       {"problem_count", problems_.count()}};
    // The array was begun before its length was known: its end and the other keys close the object.
    const std::string text = rest.dump(2, ' ', false, Json::error_handler_t::replace);
    PIECEWORK_TRY(put("\n],\n" + text.substr(text.find('\n') + 1) + "\n"));
    return flush();
  }

  const engine::Findings& problems() const { return problems_; }

 private:
  Status print(const engine::TreeEntry& entry) {
    if (++count_ > flags_.entries_max) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                  fmt::format("more than {} entries; see --max-entries", flags_.entries_max));
    }
    return flags_.json ? print_as_json(entry) : print_as_text(entry);
  }

  // The path from what is listed.
  std::string_view shown_path(const engine::TreeEntry& entry) const {
    if (entry.path.size() > top_path_.size()) {
      return entry.path.substr(top_path_.empty() ? 0 : top_path_.size() + 1);
    }
    return entry.name;
  }

  Status print_as_text(const engine::TreeEntry& entry) {
    std::string name = printable(shown_path(entry));
    if (name.empty()) name = engine::cid_text(entry.cid.bytes);
    if (entry.kind == engine::TreeKind::kDirectory) name += '/';
    if (!flags_.is_long) return put(name + "\n");
    if (entry.kind == engine::TreeKind::kSymlink) name += " -> " + printable(entry.link_target);
    const std::string size =
        entry.kind == engine::TreeKind::kDirectory ? "-" : fmt::format("{}", entry.size_bytes);
    return put(fmt::format("{:<9} {:>14} {} {}\n", engine::to_string(entry.kind), size,
                                  engine::cid_text(entry.cid.bytes), name));
  }

  Status print_as_json(const engine::TreeEntry& entry) {
    Json json = Json::object();
    set_path(json, entry.path);
    json["kind"] = engine::to_string(entry.kind);
    json["cid"] = engine::cid_text(entry.cid.bytes);
    if (entry.kind != engine::TreeKind::kDirectory) json["size_bytes"] = entry.size_bytes;
    if (entry.kind == engine::TreeKind::kSymlink) {
      Json target = Json::object();
      set_path(target, entry.link_target);
      json[target.contains("path") ? "target" : "target_base64"] = target.front();
    }
    json["root"] = root_text_;
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return put((count_ == 1 ? "\n" : ",\n") + text);
  }

  Status put(std::string_view text) {
    constexpr size_t kBufferBytes = 64 * kKiB;
    buffer_ += text;
    return buffer_.size() < kBufferBytes ? Status() : flush();
  }
  Status flush() {
    const Status status = print_text(buffer_);
    buffer_.clear();
    return status;
  }

  const LsFlags& flags_;
  std::string buffer_;  // not printed yet
  engine::Findings problems_;
  std::string root_text_;
  std::string top_path_;
  bool is_in_top_ = false;
  uint64_t count_ = 0;
};

// A tree with more entries than may be listed is refused before its first one.
Status check_limits(engine::BlockReader& reader, const engine::Cid& top, const LsFlags& flags) {
  if (!flags.recursive) return {};
  const engine::RestoreLimits limits{
      .entry_count_max = flags.entries_max, .content_bytes_max = UINT64_MAX, .depth_max = flags.depth_max};
  const auto measured = engine::measure_tree(reader, top, limits, &stop_requested());
  return measured ? Status() : tl::unexpected<Error>(measured.error());
}

// False where the root does not have the path.
Result<bool> list_root(engine::BlockReader& reader, const engine::Cid& root, const std::string& path,
                       const LsFlags& flags, Lister& lister) {
  Result<std::optional<engine::FoundEntry>> found = engine::find_path(reader, root, path);
  if (!found && !engine::is_block_fault(found.error())) return tl::unexpected<Error>(std::move(found.error()));
  if (!found) {
    PIECEWORK_TRY(lister.fault(reader.finding(found.error(), root.view(), {}, path)));
    return true;
  }
  if (!*found) return false;
  PIECEWORK_TRY(check_limits(reader, (*found)->cid, flags));
  lister.begin(root, path);
  const engine::TreeWalkOptions options{.depth_max = flags.depth_max, .stop = &stop_requested()};
  PIECEWORK_TRY(engine::walk_tree(reader, (*found)->cid, path, options, lister));
  return true;
}

Result<int> run_ls(const LsFlags& flags) {
  PIECEWORK_ASSIGN(const OpenedCars cars, open_car_arguments(flags.cars));
  if (cars.roots.empty()) print_message("warning: the CARs name no roots: nothing to list; see --root");
  engine::BlockReader reader(*cars.store);
  Lister lister(flags);
  bool is_found = cars.path.empty();
  PIECEWORK_TRY(lister.begin_output());
  for (const engine::Cid& root : cars.roots) {
    PIECEWORK_ASSIGN(const bool has_path, list_root(reader, root, cars.path, flags, lister));
    is_found = is_found || has_path;
  }
  PIECEWORK_TRY(lister.end_output());
  if (!is_found && lister.problems().count() == 0) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource, fmt::format("no root has '{}'", printable(cars.path)));
  }
  return lister.problems().count() == 0 ? kExitDone : kExitCorrupt;
}

}  // namespace

void add_ls_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<LsFlags>();
  CLI::App* command = add_command(app, {.name = "ls",
                                        .summary = "List what is in CARs",
                                        .example = "piecework ls -l pieces/baga6ea4seaq.car site"});
  add_car_flags(*command, flags->cars);
  command->add_flag("-r,--recursive", flags->recursive, "Directories with all that is in them");
  command->add_flag("-l,--long", flags->is_long, "Kind, size in bytes and CID of each entry");
  command->add_option("--max-entries", flags->entries_max, "Refuse to list more entries")->capture_default_str();
  command->add_option("--max-depth", flags->depth_max, "Refuse to go into more directories in directories")
      ->capture_default_str();
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_ls(*flags); }; });
}

}  // namespace piecework::tools
