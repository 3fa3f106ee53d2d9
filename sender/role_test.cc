// The end of the role, and what it says of itself.

#include "sender/role_test_support.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

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
    (void)FakeMailSystem::eventually([&] { return system.role().problem() == "draining"; });
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

// A port whose backlog is full: a further connection attempt hangs.
class FullPort {
 public:
  FullPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 8; ++i) {
      const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)::connect(one, any, size);
      waiting_.push_back(one);
    }
  }
  ~FullPort() {
    for (const int one : waiting_) ::close(one);
    ::close(listener_);
  }
  FullPort(const FullPort&) = delete;
  FullPort& operator=(const FullPort&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> waiting_;
};

TEST(SenderRole, ADrainDoesNotWaitForTheWayToAHost) {
  constexpr auto kLong = 10min;
  const struct {
    const char* what;
    std::string_view slow;  // name in the DNS
    std::size_t questions;  // until it hangs
    bool full;              // the host does not answer
  } cases[] = {
      {"the MX", "a.example", 1, false},
      {"an address", "mx.a.example", 2, false},
      {"a connection", "", 0, true},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    const FullPort full;
    FakeMailSystem system;
    system.config.timeouts.connect = kLong;
    system.dns.set_mx("a.example", {{10, "mx.a.example"}}).add_address("mx.a.example", "192.0.2.1");
    if (test.full) {
      system.route_all_to(full.port());
    } else {
      system.dns.delay(test.slow, kLong);
    }
    system.start();
    system.put({});
    EVENTUALLY(system.dns.asked() >= test.questions);
    EVENTUALLY(system.role().summary({}).value().counts.active == 1);
    const auto began = std::chrono::steady_clock::now();
    system.drain(5min);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 1min);
    EXPECT_TRUE(system.story().empty()) << "nothing was attempted";
    EXPECT_EQ(system.committed(), 0) << "it is still to be done";
  }
}

// The log waits for a partition that is taken back no longer than its revocation bound. Whatever is open when
// drain_wait is over is committed before that: the next owner would attempt it at once.
TEST(SenderRole, APartitionIsGivenBackWhenDrainWaitIsOver) {
  std::atomic<bool> in_dot = false;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kDot) in_dot = true;
    return stage == Stage::kDot ? std::string(FakePeer::kHang) : std::string();
  });
  FakeMailSystem system;
  system.route_all_to(peer.port());
  system.config.drain_wait = 300ms;
  system.start();
  system.put({});
  EVENTUALLY(in_dot.load());
  const auto began = std::chrono::steady_clock::now();
  system.log.revoke("sender", 0);
  EVENTUALLY(system.committed() == 1);
  EXPECT_GE(std::chrono::steady_clock::now() - began, system.config.drain_wait);
  EXPECT_THAT(system.story(), ElementsAre("deferred one@a.example 0 dot unknown"));
  ASSERT_EQ(system.parked().size(), 1U);
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
