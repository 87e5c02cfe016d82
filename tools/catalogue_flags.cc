#include "tools/catalogue_flags.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <memory>

#include "tools/cli.h"
#include "tools/json_output.h"
#include "tools/process.h"
#include "tools/progress.h"

namespace piecework::tools {
namespace {

// The index of a piece's blocks, beside SQLite's own cache; what is more goes to the directory of the catalogue.
constexpr uint64_t kIndexBytes = 96 * kMiB;

}  // namespace

void add_wait_flag(CLI::App& command, unsigned& wait_s) {
  command.add_option("--wait", wait_s, "Seconds to wait for another process that writes into the catalogue")
      ->type_name("SECONDS")
      ->check(CLI::Range(0u, 86'400u))
      ->capture_default_str();
}

Status fill_catalogue(const CatalogueTarget& target, bool expect_cars, const std::string& what,
                      const std::function<Status(const engine::FillOptions&, engine::CatalogueWriter&)>& fill) {
  PIECEWORK_ASSIGN(const std::unique_ptr<engine::CatalogueWriter> writer,
                   engine::CatalogueWriter::open(target.path, static_cast<int>(target.wait_s) * 1000));
  const std::string scratch = std::filesystem::path(target.path).parent_path().string();
  engine::PageSource pages(scratch.empty() ? "." : scratch, kIndexBytes);
  std::atomic<uint64_t> done_bytes = 0;
  engine::FillOptions options;
  options.expect_cars = expect_cars;
  options.pages = &pages;
  options.stop = &stop_requested();
  options.done_bytes = &done_bytes;
  options.warning = [](const std::string& line) { print_message("warning: " + line); };
  const ProgressPrinter printer(what, [&done_bytes] { return ProgressSnapshot{done_bytes.load(), 0}; });
  PIECEWORK_TRY(fill(options, *writer));
  return writer->commit();
}

Status print_fill_totals(const engine::FillTotals& totals, bool json) {
  if (json) {
    return print_json({{"receipt_count", totals.receipt_count},
                       {"new_batch_count", totals.new_batch_count},
                       {"not_done_count", totals.not_done_count},
                       {"piece_count", totals.piece_count},
                       {"new_piece_count", totals.new_piece_count},
                       {"skipped_count", totals.skipped_count}});
  }
  return print_text(fmt::format("pieces        {}, {} new\nreceipts      {}, {} new\n{}", totals.piece_count,
                                totals.new_piece_count, totals.receipt_count, totals.new_batch_count,
                                totals.not_done_count == 0 ? ""
                                                           : fmt::format("not done      {}\n", totals.not_done_count)));
}

}  // namespace piecework::tools
