// The end of the role, and what it says of itself.

#include "sender/role_test_support.h"

#include <atomic>
#include <thread>

namespace godwit::sender {
namespace {

using testing::ElementsAre;

TEST(SenderRole, DrainFinishesWhatIsOpenAndBeginsNothing) {
  std::atomic<bool> in_dot = false;
  std::atomic<bool> answer = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) {
      in_dot = true;
      (void)FakeMailSystem::eventually([&] { return answer.load(); });
    }
    return std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.control.shaping.push_back({.is_default = true, .connection_limit = 1});
  system.start();
  system.put({});
  EVENTUALLY(in_dot.load());
  system.put({});
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    answer = true;
  });
  system.drain();
  later.join();
  EXPECT_EQ(system.count(v1::DELIVERED), 1U);
  EXPECT_EQ(system.committed(), 1);
  EXPECT_EQ(peer.mails().size(), 1U);
}

TEST(SenderRole, AFinalDotStillOpenAtTheEndOfADrainIsUnknown) {
  std::atomic<bool> in_dot = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) in_dot = true;
    return stage == Stage::kDot ? std::string(FakePeer::kHang) : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.retry.first = 1s;
  system.start();
  system.put({});
  EVENTUALLY(in_dot.load());
  system.drain(200ms);
  EXPECT_THAT(system.story(), ElementsAre("deferred one@a.example 0 dot unknown"));
  EXPECT_EQ(system.committed(), 1);
  ASSERT_EQ(system.parked().size(), 1U);
  EXPECT_GE(system.parked().front().due_unix_ms(), to_unix_ms(system_clock().now() + 9min));
}

TEST(SenderRole, CountsWhatItHolds) {
  FakePeer peer(at_stage(Stage::kRcpt, "450 4.2.0 later"));
  FakeMailSystem system(2);
  system.route_all_to(peer.port());
  system.start();
  system.put({.domain = "a.example", .recipients = {"one", "two"}, .partition = 0});
  system.put({.domain = "b.example", .partition = 1});
  const auto settled = [&] {
    const auto counts = system.role().summary({}).value().counts;
    return counts.parked == 3 && counts.waiting == 0 && counts.active == 0;
  };
  EVENTUALLY(settled());
  const auto by_domain = system.role().summary({.by = admin::QueueBy::kDomain}).value();
  ASSERT_EQ(by_domain.rows.size(), 2U);
  EXPECT_EQ(by_domain.rows[0].name, "a.example");
  EXPECT_EQ(by_domain.rows[0].counts.parked, 2U);
  EXPECT_EQ(system.role().summary({.by = admin::QueueBy::kTenant}).value().rows.at(0).counts.parked,
            3U);
  system.stop();
  system.start();
  EVENTUALLY(settled());
}

}  // namespace
}  // namespace godwit::sender
