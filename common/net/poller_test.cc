#include "common/net/poller.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/test_directory.h"
#include "common/net/test_support.h"

namespace godwit::net {
namespace {

using namespace testing;
using async::TestLoop;

// One end of a socketpair that is watched, and the other end.
class Watched final : public Poller::Socket {
 public:
  explicit Watched(async::Shard& shard) : poller_(Poller::of(shard)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    fd_.reset(ends[0]);
    peer.reset(ends[1]);
    EXPECT_TRUE(poller_.add(fd_.get(), *this));
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { poller_.remove(fd_.get(), *this); }

  void ready(std::uint32_t events) override {
    told.push_back(events);
    if (on_ready) on_ready();
  }
  void say(std::string_view text) const {
    ASSERT_EQ(::write(peer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string take() const {
    std::array<char, 256> buffer{};
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  [[nodiscard]] Fd copy() const { return Fd(::dup(fd_.get())); }
  void watch_writing() { poller_.watch_writing(fd_.get(), *this); }

  Fd peer;
  std::vector<std::uint32_t> told;
  std::function<void()> on_ready;

 private:
  Poller& poller_;
  Fd fd_;
};

class PollerTest : public ::testing::Test {
 protected:
  // Long enough for whatever is ready to be told: the shard's set knows of ours at once.
  void settle() {
    for (int i = 0; i < 10; ++i) loop.shard().poll();
  }
  TestLoop loop;
};

TEST_F(PollerTest, TellsEachChangeOnce) {
  Watched socket(loop.shard());
  settle();
  EXPECT_TRUE(socket.told.empty()) << "not that it could be written";
  socket.say("a");
  settle();
  EXPECT_EQ(socket.told, (std::vector<std::uint32_t>{EPOLLIN}));
  settle();
  EXPECT_EQ(socket.told.size(), 1U) << "nothing changed, though it was not read";
  socket.say("b");
  settle();
  EXPECT_EQ(socket.told.size(), 2U);
  EXPECT_EQ(socket.take(), "ab");
  socket.peer.reset();
  settle();
  ASSERT_EQ(socket.told.size(), 3U);
  EXPECT_NE(socket.told.back() & EPOLLRDHUP, 0U);
}

TEST_F(PollerTest, WhatWasReadyBeforeIsTold) {
  Watched socket(loop.shard());
  socket.say("early");
  loop.drive([&] { return !socket.told.empty(); });
  EXPECT_EQ(socket.take(), "early");
}

TEST_F(PollerTest, RoomToWriteIsToldWhenAskedFor) {
  Watched socket(loop.shard());
  socket.watch_writing();
  loop.drive([&] { return !socket.told.empty(); });
  EXPECT_EQ(socket.told, (std::vector<std::uint32_t>{EPOLLOUT}));
}

TEST_F(PollerTest, WhoIsRemovedIsNotToldWhatWasFetched) {
  std::vector<std::unique_ptr<Watched>> sockets;
  for (int i = 0; i < 3; ++i) sockets.push_back(std::make_unique<Watched>(loop.shard()));
  int told = 0;
  // Whoever comes first destroys the others, whose events are in the same batch.
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    sockets[i]->on_ready = [&, i] {
      ++told;
      for (std::size_t other = 0; other < sockets.size(); ++other)
        if (other != i) sockets[other].reset();
    };
    sockets[i]->say("x");
  }
  settle();
  EXPECT_EQ(told, 1);
}

// As after a fork, until the child begins another program.
TEST_F(PollerTest, WhoIsRemovedIsNotToldThoughTheSocketLivesOn) {
  int told = 0;
  auto socket = std::make_unique<Watched>(loop.shard());
  socket->on_ready = [&told] { ++told; };
  const Fd copy = socket->copy();
  const Fd peer = std::move(socket->peer);
  socket.reset();
  ASSERT_EQ(::write(peer.get(), "x", 1), 1);
  settle();
  EXPECT_EQ(told, 0);
}

TEST_F(PollerTest, MoreThanABatchIsTold) {
  std::vector<std::unique_ptr<Watched>> sockets;
  for (int i = 0; i < 200; ++i) {
    sockets.push_back(std::make_unique<Watched>(loop.shard()));
    sockets.back()->say("x");
  }
  loop.drive([&] {
    return std::ranges::all_of(sockets, [](const auto& socket) { return !socket->told.empty(); });
  });
  for (const auto& socket : sockets) EXPECT_EQ(socket->told.size(), 1U);
}

TEST_F(PollerTest, WhatIsNoSocketIsRefused) {
  const TestDirectory directory;
  const Fd file(::open(directory.write("file", "").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(file));
  Watched socket(loop.shard());
  EXPECT_FALSE(Poller::of(loop.shard()).add(file.get(), socket));
}

TEST_F(PollerTest, EachShardHasItsOwn) {
  async::Shard other(1);
  EXPECT_NE(&Poller::of(loop.shard()), &Poller::of(other));
  EXPECT_EQ(&Poller::of(other), &Poller::of(other));
}

}  // namespace
}  // namespace godwit::net
