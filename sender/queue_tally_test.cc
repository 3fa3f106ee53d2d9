#include "sender/queue_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace godwit::sender {
namespace {

using State = QueueTally::State;

QueueTally::Share share(int number, std::uint32_t recipients) {
  const std::string domain = "d" + std::to_string(number) + ".example";
  return {.lane = {SiteName(domain), PoolName("default")},
          .domain = domain,
          .tenant = "acme",
          .recipients = recipients,
          .accepted = from_unix_ms(60'000 * number),
          .due = from_unix_ms(90'000 * number)};
}

std::vector<std::string> rows(const QueueTally& tally) {
  std::vector<std::string> lines;
  for (const auto by : {admin::QueueBy::kLane, admin::QueueBy::kDomain, admin::QueueBy::kTenant}) {
    const admin::QueueSummary summary = tally.summary({.by = by, .rows_max = 100});
    const auto add = [&](const std::string& name, const admin::QueueCounts& counts) {
      lines.push_back(name + " " + std::to_string(counts.waiting) + " " +
                      std::to_string(counts.active) + " " + std::to_string(counts.parked) + " " +
                      std::to_string(to_unix_ms(counts.oldest_accepted)) + " " +
                      std::to_string(to_unix_ms(counts.next_due)));
    };
    add("all", summary.counts);
    for (const admin::QueueRow& row : summary.rows) add(row.name, row.counts);
  }
  return lines;
}

TEST(QueueTally, AMoveIsARemovalAndAnAddition) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  QueueTally moved;
  QueueTally compared;
  struct Counted {
    State state;
    QueueTally::Share share;
  };
  std::vector<Counted> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back({State::kWaiting, share(i % 4, random() % 3)});
    moved.add(State::kWaiting, all.back().share);
    compared.add(State::kWaiting, all.back().share);
  }
  for (int step = 0; step < 500; ++step) {
    Counted& one = all[random() % all.size()];
    const auto to = static_cast<State>(random() % 3);
    moved.move(one.state, to, one.share);
    compared.remove(one.state, one.share);
    compared.add(to, one.share);
    one.state = to;
    ASSERT_EQ(rows(moved), rows(compared)) << "step " << step;
  }
  for (const Counted& one : all) moved.remove(one.state, one.share);
  EXPECT_THAT(rows(moved), testing::Each(testing::EndsWith(" 0 0 0 0 0")));
}

}  // namespace
}  // namespace godwit::sender
