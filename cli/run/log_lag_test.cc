#include "cli/run/log_lag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"

namespace godwit::cli::run {
namespace {

using testing::HasSubstr;

// Keeps what it is assigned.
class Keeper final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> partition) override {
    owned[partition->partition()] = std::move(partition);
  }
  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override {
    owned.erase(partition);
    released();
  }
  void lost(log::PartitionId partition) override { owned.erase(partition); }
  std::map<log::PartitionId, std::shared_ptr<log::Ownership>> owned;
};

TEST(LogLag, ComparesTheEndWithWhatIsFinished) {
  ManualClock clock;
  log::FakeLog log(clock, 2);
  godwit::admin::WatchedLog watched(log);
  auto keeper = std::make_shared<Keeper>();
  const auto group = watched.join({.name = "router", .subscribed = log::Topic::kAccepted}, keeper);
  ASSERT_TRUE(group);
  observe::Metrics metrics;
  LogLag lag(metrics, log, watched, clock);
  const auto shows = [&](int records, int seconds) {
    const std::string labels = "{group=\"router\",topic=\"accepted\"} ";
    return testing::AllOf(
        HasSubstr("godwit_log_lag_records" + labels + std::to_string(records) + "\n"),
        HasSubstr("godwit_log_oldest_unfinished_seconds" + labels + std::to_string(seconds) +
                  "\n"));
  };
  const auto append = [&](log::PartitionId partition) {
    std::vector<log::Append> records;
    records.push_back({.where = {log::Topic::kAccepted, partition},
                       .key = "k",
                       .value = Rope(Bytes::copy_of("v")),
                       .refers_to = std::nullopt});
    log.producer()->append(std::move(records), [](const auto& written) { EXPECT_TRUE(written); });
  };
  const auto finish = [&](log::PartitionId partition, log::Offset next) {
    log::Batch batch;
    batch.positions.push_back({.where = {log::Topic::kAccepted, partition}, .next = next});
    keeper->owned.at(partition)->commit(std::move(batch),
                                        [](const auto& written) { EXPECT_TRUE(written); });
  };

  lag.look();
  EXPECT_THAT(metrics.text(), shows(0, 0));
  append(0);
  clock.advance(std::chrono::seconds(20));
  append(0);
  append(1);
  clock.advance(std::chrono::seconds(10));
  lag.look();  // asks for the time
  lag.look();
  EXPECT_THAT(metrics.text(), shows(3, 30));
  finish(0, 1);
  lag.look();
  lag.look();
  EXPECT_THAT(metrics.text(), shows(2, 10));
  finish(0, 2);
  finish(1, 1);
  lag.look();
  lag.look();
  EXPECT_THAT(metrics.text(), shows(0, 0));
}

}  // namespace
}  // namespace godwit::cli::run
