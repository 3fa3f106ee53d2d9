#include "common/net/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>

#include "common/async/stop_signal.h"
#include "common/base/test_eventually.h"
#include "common/net/test_support.h"

namespace godwit::net {
namespace {

using namespace testing;
using async::Shard;
using async::Shards;
using async::Task;

const Address kAnyPort{IpAddress::loopback(), 0};

// Says which shard it is, then gives back one octet.
Task<void> echo(Shard& shard, Stream stream) {
  const std::string hello = std::to_string(shard.index());
  if (!co_await stream.write(hello, soon())) co_return;
  std::array<char, 1> octet;
  const Result<std::size_t> count = co_await stream.read_some(octet, soon());
  if (count && *count == 1) (void)co_await stream.write({octet.data(), 1}, soon());
}

char receive(int fd) {
  char octet = 0;
  return ::recv(fd, &octet, 1, 0) == 1 ? octet : '\0';
}

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() { shards.start(); }
  ~ListenerTest() override {
    if (listener) {
      listener->stop_accepting();
      listener->wait_drained();
      listener.reset();
    }
    shards.stop();
  }
  void listen(ListenOptions options = {}, Listener::Handler handler = echo) {
    auto opened = Listener::open(shards, kAnyPort, options, std::move(handler));
    ASSERT_TRUE(opened) << opened.error().to_string();
    listener = *std::move(opened);
    listener->start();
  }

  Shards shards{3};
  std::unique_ptr<Listener> listener;
};

TEST_F(ListenerTest, ServesOnAllShards) {
  listen();
  EXPECT_NE(listener->local().port, 0);
  std::array<int, 3> served{};
  for (int i = 0; i < 100; ++i) {
    const Fd client = connect_raw(listener->local());
    ++served.at(static_cast<std::size_t>(receive(client.get()) - '0'));
    ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
    ASSERT_EQ(receive(client.get()), 'x');
  }
  for (const int count : served) EXPECT_GT(count, 0) << "the kernel spreads them";
  EXPECT_EQ(listener->accepted_total(), 100U);
  EXPECT_TRUE(eventually([&] { return listener->connections() == 0; }));
}

TEST_F(ListenerTest, AnAddressInUseIsRefused) {
  listen();
  const auto second = Listener::open(shards, listener->local(), {}, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAddressInUse);
  const auto foreign = Listener::open(shards, *Address::from_text("192.0.2.1:0"), {}, echo);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Errc::kAddressUnavailable);
}

TEST_F(ListenerTest, BindsTheSamePortAgainAfterItEnded) {
  listen();
  const Address address = listener->local();
  const Fd client = connect_raw(address);
  receive(client.get());
  listener->stop_accepting();
  ::send(client.get(), "x", 1, 0);  // the server closes first: TIME_WAIT stays on its side
  receive(client.get());
  listener->wait_drained();
  listener.reset();
  const auto again = Listener::open(shards, address, {}, echo);
  EXPECT_TRUE(again) << again.error().to_string();
}

TEST_F(ListenerTest, StopRefusesNewOnesAndLetsSessionsEnd) {
  listen();
  const Fd client = connect_raw(listener->local());
  ASSERT_NE(receive(client.get()), '\0');
  listener->stop_accepting();
  listener->stop_accepting();
  const Fd late(::socket(AF_INET, SOCK_STREAM, 0));
  SocketAddress name = SocketAddress::of(listener->local());
  EXPECT_TRUE(eventually([&] {
    const Fd attempt(::socket(AF_INET, SOCK_STREAM, 0));
    return ::connect(attempt.get(), name.get(), name.length) != 0;
  }));
  ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  EXPECT_EQ(receive(client.get()), 'x') << "the session goes on";
  listener->wait_drained();
  EXPECT_EQ(listener->connections(), 0U);
}

TEST_F(ListenerTest, AtTheLimitTheRestWaits) {
  listen({.connections_max = 2});
  std::vector<Fd> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(connect_raw(listener->local()));
    ASSERT_NE(receive(clients.back().get()), '\0');
  }
  const Fd third = connect_raw(listener->local());  // in the backlog
  const timeval short_time{0, 300'000};
  ::setsockopt(third.get(), SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time);
  EXPECT_EQ(receive(third.get()), '\0');
  clients.pop_back();
  const timeval long_time{30, 0};
  ::setsockopt(third.get(), SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof long_time);
  EXPECT_NE(receive(third.get()), '\0') << "served when there is room";
}

// How many descriptors the process may have from now on: those it has, none more.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd lowest(::dup(0));
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(lowest.get());
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ListenerTest, OutOfDescriptorsPausesAndGoesOn) {
  listen();
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    const NoMoreDescriptors limit;
    SocketAddress name = SocketAddress::of(listener->local());
    ASSERT_EQ(::connect(client.get(), name.get(), name.length), 0)
        << "the kernel takes it into the backlog";
    const Instant begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(eventually([&] { return listener->pauses_total() >= 3; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 2 * Listener::kResourcePause) << "no spin";
    EXPECT_EQ(listener->accepted_total(), 0U);
  }
  EXPECT_NE(receive(client.get()), '\0');
}

// Sessions that are ended by their owner's signal, as a role ends them.
struct Waiting {
  std::array<async::StopSignal, 3> stop;

  Task<void> session(Shard& shard, Stream stream) {
    const async::StopSignal::Callback on_stop(stop.at(shard.index()),
                                              [&stream] { stream.close(); });
    std::array<char, 64> buffer;
    while (true) {
      const Result<std::size_t> count = co_await stream.read_some(buffer, soon());
      if (!count || *count == 0) co_return;
    }
  }
};

TEST_F(ListenerTest, AStopSignalEndsIdleSessions) {
  Waiting waiting;
  listen({}, [&waiting](Shard& shard, Stream stream) {
    return waiting.session(shard, std::move(stream));
  });
  std::vector<Fd> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(connect_raw(listener->local()));
  ASSERT_TRUE(eventually([&] { return listener->connections() == 30; }));
  listener->stop_accepting();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards.at(i).post([&waiting, i] { waiting.stop.at(i).request(); });
  }
  listener->wait_drained();
  for (const Fd& client : clients) EXPECT_EQ(receive(client.get()), '\0');
}

TEST_F(ListenerTest, OpenedAndNeverStarted) {
  const auto opened = Listener::open(shards, kAnyPort, {}, echo);
  ASSERT_TRUE(opened);
  (*opened)->stop_accepting();
  (*opened)->wait_drained();
}

}  // namespace
}  // namespace godwit::net
