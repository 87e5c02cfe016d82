// `piecework info`: what this machine offers and what Piecework will use of it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/piece/piece_size.h"
#include "io/backend.h"
#include "io/limits.h"
#include "kernels/variant.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/machine.h"
#include "tools/memory_budget.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

struct IoUring {
  bool available = false;
  std::string detail;  // what was found, or why there is none and how to have it
};

struct Info {
  std::string cpu;
  std::string system;
  unsigned thread_count = 1;
  std::optional<uint32_t> cgroup_cpu_count;
  std::vector<kernels::VariantInfo> variants;
  IoUring io_uring;
  uint64_t memory_budget_bytes = 0;
  std::optional<uint64_t> cgroup_memory_bytes;
  uint64_t page_bytes = 0;
  uint64_t open_files_max = 0;
  uint64_t locked_memory_bytes_max = 0;
};

IoUring probe_io_uring() {
  const auto backend = io::make_backend({.kind = io::BackendKind::kUring});
  if (backend) return {true, (*backend)->description()};
  return {false, backend.error().message};
}

uint64_t soft_limit(int resource) {
  rlimit limit{};
  return getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 ? limit.rlim_cur : 0;
}

Info gather() {
  Info info;
  info.cpu = cpu_model();
  info.system = system_name();
  info.thread_count = usable_thread_count();
  info.cgroup_cpu_count = io::cgroup_cpu_count();
  info.variants = all_variants();
  info.io_uring = probe_io_uring();
  info.cgroup_memory_bytes = io::cgroup_memory_limit_bytes();
  info.memory_budget_bytes = default_memory_bytes(info.thread_count, info.cgroup_memory_bytes);
  info.page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  info.open_files_max = soft_limit(RLIMIT_NOFILE);
  info.locked_memory_bytes_max = soft_limit(RLIMIT_MEMLOCK);
  return info;
}

// A limit of the system as JSON: null where there is none.
Json limit_json(uint64_t limit) { return limit == RLIM_INFINITY ? Json(nullptr) : Json(limit); }

template <class Number>
Json optional_json(const std::optional<Number>& limit) {
  return limit ? Json(*limit) : Json(nullptr);
}

Json as_json(const Info& info) {
  Json variants = Json::array();
  for (const kernels::VariantInfo& variant : info.variants) {
    variants.push_back({{"kernel", variant.kernel},
                        {"name", variant.name},
                        {"supported", variant.supported},
                        {"active", variant.active}});
  }
  return {{"version", version()},
          {"cpu", info.cpu},
          {"system", info.system},
          {"thread_count", info.thread_count},
          {"variants", variants},
          {"io_uring", {{"available", info.io_uring.available}, {"detail", info.io_uring.detail}}},
          {"limits",
           {{"memory_budget_bytes", info.memory_budget_bytes},
            {"cgroup_memory_bytes_max", optional_json(info.cgroup_memory_bytes)},
            {"cgroup_cpu_count", optional_json(info.cgroup_cpu_count)},
            {"segment_bytes", engine::kSegmentBytes},
            {"piece_bytes_max", engine::kPieceBytesMax},
            {"page_bytes", info.page_bytes},
            {"open_files_max", limit_json(info.open_files_max)},
            {"locked_memory_bytes_max", limit_json(info.locked_memory_bytes_max)}}}};
}

std::string limit_text(uint64_t limit, const std::string& text) { return limit == RLIM_INFINITY ? "unlimited" : text; }

std::string as_text(const Info& info) {
  std::string text = fmt::format("piecework {}\nprocessor      {}\nsystem         {}\nthreads        {}\n", version(),
                                 info.cpu, info.system, info.thread_count);
  text +=
      fmt::format("CPU quota      {}\n", info.cgroup_cpu_count ? fmt::format("{}", *info.cgroup_cpu_count) : "none");
  text += "kernels        (* in use, - not for this processor)\n";
  for (const kernels::VariantInfo& variant : info.variants) {
    const char mark = variant.active ? '*' : variant.supported ? ' ' : '-';
    text += fmt::format("  {} {:<14} {}\n", mark, variant.kernel, variant.name);
  }
  text +=
      fmt::format("io_uring       {}: {}\n", info.io_uring.available ? "yes" : "no", printable(info.io_uring.detail));
  text += fmt::format("memory budget  {} (--memory)\n", format_bytes(info.memory_budget_bytes));
  text += fmt::format("memory limit   {} (control group)\n",
                      info.cgroup_memory_bytes ? format_bytes(*info.cgroup_memory_bytes) : "none");
  text += fmt::format("largest piece  {} padded\n", format_bytes(engine::kPieceBytesMax));
  text += fmt::format("open files     {}\n", limit_text(info.open_files_max, fmt::format("{}", info.open_files_max)));
  text += fmt::format("locked memory  {}\n",
                      limit_text(info.locked_memory_bytes_max, format_bytes(info.locked_memory_bytes_max)));
  return text;
}

Result<int> run_info(bool json) {
  const Info info = gather();
  PIECEWORK_TRY(json ? print_json(as_json(info)) : print_text(as_text(info)));
  return kExitDone;
}

}  // namespace

void add_info_command(CLI::App& app, Invocation& invocation) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = add_command(app, {.name = "info",
                                        .summary = "Processor, kernels in use, io_uring and limits of this machine",
                                        .example = "piecework info --json"});
  add_json_flag(*command, *json);
  command->callback([json, &invocation] { invocation.run = [json] { return run_info(*json); }; });
}

}  // namespace piecework::tools
