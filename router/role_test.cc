#include "router/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "common/base/test_eventually.h"
#include "common/record/records.h"
#include "common/role/test_process.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;

// The role on real shards: what a single partition does is partition_router_test's.
class RouterTest : public testing::Test, protected role::TestProcess {
 protected:
  static constexpr log::PartitionId kPartitions = 4;

  RouterTest() : TestProcess(kPartitions) {}

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
    log.producer()->append(std::move(records), [](const auto& written) { ASSERT_TRUE(written); });
  }
  [[nodiscard]] log::Offset committed() {
    log::Offset sum = 0;
    for (log::PartitionId p = 0; p < kPartitions; ++p) {
      sum += log.committed("router", {log::Topic::kAccepted, p}).value();
    }
    return sum;
  }

  std::unique_ptr<role::Role> role_ = make_router(context(), Config{}, {});
};

TEST_F(RouterTest, RoutesEveryPartition) {
  EXPECT_NE(role_->problem(), "");
  for (log::PartitionId p = 0; p < kPartitions; ++p) accept(p);
  ASSERT_TRUE(role_->start());
  EXPECT_EQ(role_->problem(), "");
  for (log::PartitionId p = 0; p < kPartitions; ++p) accept(p);
  EXPECT_TRUE(eventually([&] { return committed() == 2 * kPartitions; }));
  EXPECT_EQ(log.records(log::Topic::kOutbound).size(), 2 * kPartitions);
  EXPECT_THAT(metrics.text(), testing::HasSubstr("godwit_router_messages_total"));
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
    log.lose("router", 2);
    accept(2);
    log.assign("router", 2);
  }
  EXPECT_TRUE(eventually([&] { return committed() == 21; }));
  EXPECT_EQ(log.records(log::Topic::kOutbound).size(), 21U);
  EXPECT_EQ(role_->problem(), "");
}

TEST_F(RouterTest, APartitionThatIsWantedBackIsReleased) {
  ASSERT_TRUE(role_->start());
  log.revoke("router", 1);
  accept(0);
  EXPECT_TRUE(eventually([&] { return committed() == 1; }));
  // A partition it never had is released too.
  role_->drain(std::chrono::steady_clock::now() + 60s);
  log.revoke("router", 3);
  role_->stop();
}

TEST_F(RouterTest, ALogThatCannotBeJoinedIsAnErrorOfStart) {
  log.close();
  EXPECT_FALSE(role_->start());
}

}  // namespace
}  // namespace godwit::router
