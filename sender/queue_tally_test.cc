#include "sender/queue_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/base/manual_clock.h"
#include "common/observe/test_sample.h"
#include "sender/metrics.h"

namespace godwit::sender {
namespace {

using State = QueueTally::State;

QueueTally::Share share(int number, std::uint32_t recipients) {
  static std::set<std::string> domains;  // a share refers to its names
  const std::string& domain = *domains.insert("d" + std::to_string(number) + ".example").first;
  return {.site = domain,
          .pool = "default",
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

class ShownTallyTest : public testing::Test {
 protected:
  using Share = QueueTally::Share;

  [[nodiscard]] double metric(std::string_view series) const {
    return observe::sample_of(metrics_, series).value_or(-1);
  }
  [[nodiscard]] Share of_google(std::uint32_t recipients, std::chrono::minutes age) const {
    Share share = godwit::sender::share(1, recipients);
    share.site = "google";
    share.pool = "bulk";
    share.accepted = clock_.now() - age;
    share.due = clock_.now() - age / 2;
    return share;
  }
  observe::Metrics metrics_;
  ManualClock clock_{from_unix_ms(1'800'000'000'000)};  // of a whole minute
  control::StaticRoutes routes_;
  SenderMetrics sender_{metrics_, clock_, routes_, 3};
};

constexpr std::string_view kByDomain = "godwit_sender_queue_recipients_by_domain";

std::string by_domain(int number) {
  return std::string(kByDomain) + "{domain=\"d" + std::to_string(number) + ".example\"}";
}

TEST_F(ShownTallyTest, GaugesFollowWhatIsCountedBeforeAndAfter) {
  constexpr std::string_view kGoogle =
      "godwit_sender_provider_queue_recipients{provider=\"google\",pool=\"bulk\"}";
  QueueTally restored;
  restored.add(State::kParked, of_google(3, std::chrono::minutes(10)));
  std::optional<QueueTally> tally = std::move(restored);  // as an owner takes it over
  tally->show(sender_);
  EXPECT_EQ(metric("godwit_sender_queue_recipients{state=\"parked\"}"), 3);
  EXPECT_EQ(metric(kGoogle), 3);
  EXPECT_EQ(metric("godwit_sender_queue_oldest_seconds"), 600);
  EXPECT_EQ(metric("godwit_sender_queue_overdue_seconds"), 300);

  tally->add(State::kWaiting, of_google(2, std::chrono::minutes(20)));
  tally->move(State::kWaiting, State::kActive, of_google(2, std::chrono::minutes(20)));
  EXPECT_EQ(metric("godwit_sender_queue_recipients{state=\"waiting\"}"), 0);
  EXPECT_EQ(metric("godwit_sender_queue_recipients{state=\"active\"}"), 2);
  EXPECT_EQ(metric(kGoogle), 5);
  EXPECT_EQ(metric("godwit_sender_queue_oldest_seconds"), 1200);

  // Two partitions: counts are added, of ages the worst is told.
  QueueTally second;
  second.show(sender_);
  second.add(State::kWaiting, of_google(1, std::chrono::minutes(60)));
  EXPECT_EQ(metric("godwit_sender_queue_recipients{state=\"waiting\"}"), 1);
  EXPECT_EQ(metric("godwit_sender_queue_oldest_seconds"), 3600);
  second.remove(State::kWaiting, of_google(1, std::chrono::minutes(60)));
  EXPECT_EQ(metric("godwit_sender_queue_oldest_seconds"), 1200);
  EXPECT_EQ(metric("godwit_sender_queue_overdue_seconds"), 300);

  tally.reset();  // the partition went to another process
  EXPECT_EQ(metric("godwit_sender_queue_recipients{state=\"parked\"}"), 0);
  EXPECT_EQ(metric(kGoogle), 0);
  EXPECT_EQ(metric("godwit_sender_queue_oldest_seconds"), 0);
  EXPECT_EQ(metric("godwit_sender_queue_overdue_seconds"), 0);
}

TEST_F(ShownTallyTest, TheDomainsWithTheMostAreNamedAndNoOthers) {
  QueueTally tally;
  tally.rank_domains();  // nobody looks at it yet
  tally.show(sender_);
  for (int i = 1; i <= 6; ++i) {
    tally.add(State::kWaiting, share(i, static_cast<std::uint32_t>(i)));
    tally.add(State::kParked, share(i, 10));
  }
  EXPECT_EQ(metric(by_domain(6)), -1) << "not before they were looked at";
  tally.rank_domains();
  EXPECT_EQ(metric(by_domain(6)), 16);
  EXPECT_EQ(metric(by_domain(4)), 14);
  EXPECT_EQ(metric(by_domain(3)), -1);

  QueueTally second;  // another pool's lane of the same domain
  second.show(sender_);
  second.add(State::kActive, share(3, 1));
  second.add(State::kActive, share(5, 4));
  second.rank_domains();
  EXPECT_EQ(metric(by_domain(5)), 19);
  EXPECT_EQ(metric(by_domain(3)), -1);

  tally.remove(State::kParked, share(6, 10));
  tally.rank_domains();
  EXPECT_EQ(metric(by_domain(6)), -1);
  EXPECT_EQ(metric(by_domain(3)), 14) << "of the first partition's three now, and the second's";
}

TEST_F(ShownTallyTest, ManyDomainsAreLookedAtAPieceAtATime) {
  QueueTally tally;
  tally.show(sender_);
  constexpr int kDomains = 2 * static_cast<int>(QueueTally::kDomainsLookedAt) + 1;
  for (int i = 1; i <= kDomains; ++i)
    tally.add(State::kParked, share(i, static_cast<std::uint32_t>(i)));
  for (int i = 0; i < 2; ++i) tally.rank_domains();
  EXPECT_EQ(metric(by_domain(kDomains)), -1) << "all but one were looked at";
  tally.rank_domains();
  EXPECT_EQ(metric(by_domain(kDomains)), kDomains);
  EXPECT_EQ(metric(by_domain(kDomains - 2)), kDomains - 2);
  EXPECT_EQ(metric(by_domain(kDomains - 3)), -1);
  // Where it left off is gone, as everything else but one.
  tally.rank_domains();
  for (int i = 1; i < kDomains; ++i)
    tally.remove(State::kParked, share(i, static_cast<std::uint32_t>(i)));
  tally.rank_domains();
  tally.rank_domains();
  EXPECT_EQ(metric(by_domain(kDomains)), kDomains);
  EXPECT_EQ(metric(by_domain(1)), -1);
  tally.remove(State::kParked, share(kDomains, kDomains));
  tally.rank_domains();
  EXPECT_EQ(metrics_.text().find(kByDomain), std::string::npos);
}

}  // namespace
}  // namespace godwit::sender
