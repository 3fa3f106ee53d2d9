#include "common/role/partitions.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>

#include "common/async/event.h"
#include "common/base/test_eventually.h"
#include "common/log/fake_log.h"

namespace godwit::role {
namespace {

using namespace std::chrono_literals;

constexpr log::PartitionId kPartitions = 4;
constexpr auto kPatience = 20s;

// Works until it is told to end, and remembers how it was told.
class FakeWork final : public PartitionWork {
 public:
  explicit FakeWork(std::size_t shard) : shard_(shard) {}

  [[nodiscard]] async::Task<void> run() override {
    on_its_shard = async::Shard::current().index() == shard_;
    running = true;
    while (told.load() == 0) co_await wake_.wait();
    running = false;
  }
  void stop() override { tell('s'); }
  void drain() override { tell('d'); }
  void lose() override { tell('l'); }
  [[nodiscard]] std::string problem() const override { return stands_still ? "stands still" : ""; }

  std::atomic<bool> on_its_shard{false};
  std::atomic<bool> running{false};
  std::atomic<bool> stands_still{false};
  std::atomic<char> told{0};

 private:
  void tell(char how) {
    told = how;
    wake_.notify();
  }
  const std::size_t shard_;
  async::Event wake_;
};

class PartitionsTest : public testing::Test {
 protected:
  PartitionsTest() { shards_.start(); }
  ~PartitionsTest() override {
    if (group_) group_->stop(1s);
    gate_.close_and_wait();
    shards_.stop();
  }

  void join() {
    partitions_ = std::make_shared<Partitions>(
        shards_, gate_, [this](const std::shared_ptr<log::Ownership>& owned, std::size_t shard) {
          auto work = std::make_shared<FakeWork>(shard);
          const std::lock_guard lock(mutex_);
          made_[owned->partition()].push_back(work);
          return work;
        });
    group_ = log_.join({.name = "g", .subscribed = log::Topic::kAccepted}, partitions_).value();
  }
  FakeWork& work(log::PartitionId partition) {
    const std::lock_guard lock(mutex_);
    return *made_.at(partition).back();
  }

  async::Shards shards_{3};
  async::Gate gate_;
  log::FakeLog log_{system_clock(), kPartitions};
  std::mutex mutex_;
  std::map<log::PartitionId, std::vector<std::shared_ptr<FakeWork>>> made_;
  std::shared_ptr<Partitions> partitions_;
  std::unique_ptr<log::Group> group_;
};

TEST_F(PartitionsTest, EachPartitionWorksOnTheShardOfItsNumber) {
  join();
  for (log::PartitionId p = 0; p < kPartitions; ++p) {
    EXPECT_TRUE(eventually([&] { return work(p).running.load(); }));
    EXPECT_TRUE(work(p).on_its_shard);
  }
}

TEST_F(PartitionsTest, APartitionIsReleasedWhenItsWorkHasEnded) {
  join();
  log_.revoke("g", 1);
  EXPECT_TRUE(eventually([&] { return work(1).told == 's' && !work(1).running; }));
  EXPECT_EQ(work(0).told, 0);
  ASSERT_TRUE(eventually([&] { return gate_.count() == kPartitions - 1; })) << "it is not released";
  log_.assign("g", 1);
  EXPECT_TRUE(eventually([&] { return work(1).told == 0 && work(1).running; }));
}

TEST_F(PartitionsTest, OneThatIsNotHereIsReleasedAtOnce) {
  join();
  log_.lose("g", 2);
  ASSERT_TRUE(eventually([&] { return work(2).told == 'l' && !work(2).running; }));
  ASSERT_TRUE(eventually([&] { return gate_.count() == kPartitions - 1; }));
  bool released = false;
  partitions_->revoked(2, [&] { released = true; });
  EXPECT_TRUE(released);
}

TEST_F(PartitionsTest, DrainWaitsForAllAndTakesNoMore) {
  join();
  partitions_->drain(kPatience);
  for (log::PartitionId p = 0; p < kPartitions; ++p) EXPECT_EQ(work(p).told, 'd');
  log_.lose("g", 3);
  log_.assign("g", 3);
  EXPECT_EQ(work(3).told, 'd') << "it was taken, and nobody will end it";
}

TEST_F(PartitionsTest, TheFirstThatStandsStillIsNamed) {
  join();
  EXPECT_EQ(partitions_->problem(), "");
  work(2).stands_still = true;
  EXPECT_EQ(partitions_->problem(), "partition 2: stands still");
}

}  // namespace
}  // namespace godwit::role
