#include "router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/base/test_eventually.h"
#include "common/log/fake_log.h"
#include "common/net/fake_resolver.h"
#include "common/observe/health.h"
#include "common/poison/slots.h"
#include "common/record/records.h"
#include "router/role.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;

class DefaultControl final : public control::View {
 public:
  [[nodiscard]] control::SnapshotPtr current() const override { return snapshot_; }

 private:
  control::SnapshotPtr snapshot_ = std::make_shared<control::Snapshot>();
};

// The role on real shards: what a single partition does is partition_router_test's.
class RouterTest : public testing::Test {
 protected:
  static constexpr log::PartitionId kPartitions = 4;

  RouterTest() {
    shards_.start();
    role_ = make_router({.shards = shards_,
                         .pool = pool_,
                         .log = log_,
                         .control = control_,
                         .resolver = dns_,
                         .clock = system_clock(),
                         .metrics = metrics_,
                         .health = health_,
                         .poison = poison_,
                         .node = "n1",
                         .data_dir = {}},
                        Config{}, {});
  }
  ~RouterTest() override {
    role_->stop();
    role_.reset();
    shards_.stop();
  }

  void accept(log::PartitionId partition) {
    record::Message message;
    const MessageId id = MessageId::generate(system_clock(), system_random());
    message.head.set_message_id(std::string(id.octets()));
    message.envelope.add_recipients()->set_address("a@b.test");
    std::vector<log::Append> records;
    records.push_back({.where = {log::Topic::kAccepted, partition},
                       .key = std::string(id.octets()),
                       .value = record::encode(message).value(),
                       .refers_to = {}});
    log_.producer()->append(std::move(records), [](const auto& written) { ASSERT_TRUE(written); });
  }
  [[nodiscard]] log::Offset committed() {
    log::Offset sum = 0;
    for (log::PartitionId p = 0; p < kPartitions; ++p) {
      sum += log_.committed("router", {log::Topic::kAccepted, p}).value();
    }
    return sum;
  }

  async::Shards shards_{2};
  async::BlockingPool pool_{"test", 1, 16};
  log::FakeLog log_{system_clock(), kPartitions};
  DefaultControl control_;
  net::FakeResolver dns_;
  observe::Metrics metrics_;
  observe::Health health_;
  poison::Slots poison_{2};
  std::unique_ptr<role::Role> role_;
};

TEST_F(RouterTest, RoutesEveryPartition) {
  EXPECT_NE(role_->problem(), "");
  for (log::PartitionId p = 0; p < kPartitions; ++p) accept(p);
  ASSERT_TRUE(role_->start());
  EXPECT_EQ(role_->problem(), "");
  for (log::PartitionId p = 0; p < kPartitions; ++p) accept(p);
  EXPECT_TRUE(eventually([&] { return committed() == 2 * kPartitions; }));
  EXPECT_EQ(log_.records(log::Topic::kOutbound).size(), 2 * kPartitions);
  EXPECT_THAT(metrics_.text(), testing::HasSubstr("godwit_router_messages_total"));
}

TEST_F(RouterTest, DrainTakesNothingMore) {
  ASSERT_TRUE(role_->start());
  accept(0);
  EXPECT_TRUE(eventually([&] { return committed() == 1; }));
  role_->drain(std::chrono::steady_clock::now() + 60s);
  accept(0);
  role_->stop();
  EXPECT_EQ(committed(), 1);
}

TEST_F(RouterTest, APartitionThatWasLostAndComesAgainIsRoutedOn) {
  ASSERT_TRUE(role_->start());
  accept(2);
  EXPECT_TRUE(eventually([&] { return committed() == 1; }));
  for (int i = 0; i < 20; ++i) {
    log_.lose("router", 2);
    accept(2);
    log_.assign("router", 2);
  }
  EXPECT_TRUE(eventually([&] { return committed() == 21; }));
  EXPECT_EQ(log_.records(log::Topic::kOutbound).size(), 21U);
  EXPECT_EQ(role_->problem(), "");
}

TEST_F(RouterTest, APartitionThatIsWantedBackIsReleased) {
  ASSERT_TRUE(role_->start());
  log_.revoke("router", 1);
  accept(0);
  EXPECT_TRUE(eventually([&] { return committed() == 1; }));
  // A partition it never had is released too.
  role_->drain(std::chrono::steady_clock::now() + 60s);
  log_.revoke("router", 3);
  role_->stop();
}

TEST_F(RouterTest, ALogThatCannotBeJoinedIsAnErrorOfStart) {
  log_.close();
  EXPECT_FALSE(role_->start());
}

}  // namespace
}  // namespace godwit::router
