// Receipts of an output directory in the order of their batches, and what lies between them.
#include "engine/record/receipt_walk.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

namespace fs = std::filesystem;

const std::string kPlanA(64, 'a');
const std::string kPlanB(64, 'b');

class ReceiptWalk : public ::testing::Test {
 protected:
  void add(const std::string& plan, const std::string& name) {
    fs::create_directories(dir_ / "receipts" / plan);
    testing::write_file(dir_ / "receipts" / plan / name, "{}");
  }
  // "a0 a2 a10 b1 x?": the plan's first letter and the batch.
  std::string places() const {
    const auto places = list_receipts((dir_ / "").string());
    EXPECT_TRUE(places);
    std::string text;
    for (const ReceiptPlace& place : places.value()) {
      EXPECT_TRUE(fs::exists(place.path));
      EXPECT_EQ(place.path, place.plan_path + "/" + place.name);
      text += place.plan.substr(0, 1) + (place.batch ? std::to_string(*place.batch) : "?") + " ";
    }
    return text;
  }

  testing::TempDir dir_;
};

TEST_F(ReceiptWalk, OrdersByPlanAndBatch) {
  for (const char* name : {"10.json", "2.json", "0.json"}) add(kPlanA, name);
  add(kPlanB, "1.json");
  EXPECT_EQ(places(), "a0 a2 a10 b1 ");
}

TEST_F(ReceiptWalk, TellsOtherNames) {
  for (const char* name : {"1.json", "01.json", "+1.json", "1x.json", "4294967296.json", "x.json"}) add(kPlanA, name);
  for (const char* name : {".0.json", "0.external.ndjson.zst", ".json"}) add(kPlanB, name);
  add("x", "0.json");
  EXPECT_EQ(places(), "a1 a? a? a? a? a? x? ");
}

TEST_F(ReceiptWalk, FindsNoneWhereThereAreNone) {
  EXPECT_EQ(places(), "");
  EXPECT_TRUE(list_receipts((dir_ / "nowhere").string()).value().empty());
}

TEST_F(ReceiptWalk, HandsOverWhatCannotBeRead) {
  add(kPlanA, "0.json");
  uint32_t count = 0;
  const Status status = visit_receipts((dir_ / "").string(), [&count](const FoundReceipt& found) -> Status {
    ++count;
    EXPECT_EQ(found.receipt.error().code, ErrorCode::kCorrupt);
    return {};
  });
  EXPECT_TRUE(status);
  EXPECT_EQ(count, 1u);
}

}  // namespace
}  // namespace piecework::engine
