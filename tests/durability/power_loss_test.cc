// Takes the power away, again and again, from a whole Godwit with mail under way, and audits afterwards.
//
// Customers send mail over SMTP to the ingress role; router and sender roles carry it over the embedded log to a
// destination that keeps a ledger. A tenth of the recipients is deferred first, some are refused, some are
// deferred for good, one domain is slow, so that its mail is set aside, some mail is scheduled, some urgent, and
// some larger than a record. At a random moment the disk stops; of the 4 KiB pages that were not synced, of
// segments and of RocksDB's files alike, each is kept or lost by itself; the log is opened again, and everything
// goes on, until each segment file was used and made free three times.
//
// The same test with a disk that does not sync what it says it has shows that it would see a loss.
//
// GODWIT_SEED chooses the first seed, GODWIT_SEEDS how many.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/observe/log.h"
#include "tests/durability/machine.h"

namespace godwit::durability {
namespace {

constexpr int kCuts = 6;

using Loss = store::FakeFileSystem::Loss;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

void print(std::uint64_t seed, const Story& story) {
  std::uint64_t most = 0;
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t all = 0;
  for (const auto& [file, times] : story.recycled) {
    most = std::max(most, times);
    least = std::min(least, times);
    all += times;
  }
  const audit::Report& report = story.report;
  const std::string line = fmt::format(
      "power loss, seed {}: {} cuts, {} messages to {} recipients acknowledged ({} messages "
      "scheduled, {} urgent, {} large), {} answers 4xx, {} deliveries throttled; delivered {}, "
      "bounced {}, expired {}, missing {}, doubled {}; {} second copies; segments made free {} "
      "times, each of {} files {} to {} times\n",
      seed, story.cuts, story.messages.total, story.acknowledged, story.messages.scheduled,
      story.messages.urgent, story.messages.large, story.deferred, story.throttled,
      report.delivered, report.bounced, report.expired, report.missing, report.doubled,
      story.copies, all, story.recycled.size(), least, most);
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

class WholePipeline : public testing::Test {
 protected:
  observe::LogCapture quiet_{[](std::string_view) {}, observe::Level::kInfo};
};

TEST_F(WholePipeline, NobodyAcknowledgedIsLostOrWronglyEndedWhenThePowerGoes) {
  const std::uint64_t first = number_from("GODWIT_SEED", 1);
  for (std::uint64_t seed = first; seed < first + number_from("GODWIT_SEEDS", 1); ++seed) {
    SCOPED_TRACE(fmt::format("seed {} (GODWIT_SEED)", seed));
    const Story story = Machine(seed).run(kCuts);
    print(seed, story);
    for (const std::string& complaint : story.complaints) ADD_FAILURE() << complaint;
    if (HasFailure()) continue;
    // The story has everything in it that it is about.
    EXPECT_EQ(story.cuts, kCuts);
    EXPECT_GE(story.recycled.size(), 4U);
    for (const auto& [file, times] : story.recycled) EXPECT_GE(times, kRecyclingsMin) << file;
    EXPECT_GT(story.messages.scheduled, 0U);
    EXPECT_GT(story.messages.urgent, 0U);
    EXPECT_GT(story.messages.large, 0U);
    EXPECT_GT(story.throttled, 0U);
    EXPECT_GT(story.report.bounced, 0U);
    EXPECT_GT(story.report.expired, 0U);
    EXPECT_GE(story.deferred * 10, story.acknowledged);
  }
}

// Each of them has to be noticed, whichever seed; `loses_in_silence`: with some seed in a log that opens.
struct BadDiskCase {
  BadDisk disk;
  bool loses_in_silence = false;
};

std::ostream& operator<<(std::ostream& out, const BadDiskCase& bad) {
  return out << bad.disk.name;
}

class WithoutTheSync : public WholePipeline, public testing::WithParamInterface<BadDiskCase> {};

TEST_P(WithoutTheSync, TheSameTestFails) {
  constexpr std::uint64_t kSeedsMax = 12;
  const BadDiskCase& bad = GetParam();
  const std::uint64_t first = number_from("GODWIT_SEED", 1);
  bool lost_in_silence = false;
  for (std::uint64_t seed = first; seed < first + kSeedsMax; ++seed) {
    const Story story = Machine(seed).run(bad.disk);
    EXPECT_GE(story.acknowledged, 100U);
    EXPECT_FALSE(story.complaints.empty()) << "seed " << seed << ": nobody noticed";
    if (story.complaints.empty()) return;
    lost_in_silence = story.opened && story.lost > 0;
    std::printf("%s, seed %llu: %zu of %zu recipients lost%s: %s\n",
                std::string(bad.disk.name).c_str(), static_cast<unsigned long long>(seed),
                story.lost, story.acknowledged, story.opened ? " in a log that opens" : "",
                story.complaints.front().c_str());
    if (lost_in_silence || !bad.loses_in_silence) break;
  }
  EXPECT_TRUE(lost_in_silence || !bad.loses_in_silence) << "no log lost anybody and opened";
}

INSTANTIATE_TEST_SUITE_P(
    Disks, WithoutTheSync,
    testing::Values(BadDiskCase{{"nothing is synced, some pages are lost", {}, Loss::kPages, {}}},
                    BadDiskCase{
                        {"nothing is synced, everything is lost", {}, Loss::kEverything, {}}, true},
                    BadDiskCase{{"segments are not synced, some pages are lost",
                                 {.part = ".segment", .honest_bytes = 0},
                                 Loss::kPages,
                                 {}}},
                    BadDiskCase{{"of segments only the headers are synced",
                                 {.part = ".segment", .honest_bytes = 4096},
                                 Loss::kPages,
                                 {}}},
                    BadDiskCase{{"segments are not synced any more, all that is lost",
                                 {.part = ".segment", .honest_bytes = 0},
                                 Loss::kEverything,
                                 3},
                                true}));

}  // namespace
}  // namespace godwit::durability
