#include "common/net/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <random>
#include <vector>

#include "common/async/sleep.h"
#include "common/net/connector.h"
#include "common/net/test_support.h"

namespace godwit::net {
namespace {

using namespace testing;
using async::Shard;
using async::Task;
using async::TestLoop;

class StreamTest : public ::testing::Test {
 protected:
  TestLoop loop;
};

Task<void> store(Task<Result<std::size_t>> task, std::optional<Result<std::size_t>>& out) {
  out = co_await std::move(task);
}
Task<void> store(Task<Result<void>> task, std::optional<Result<void>>& out) {
  out = co_await std::move(task);
}

TEST_F(StreamTest, ReadsWhatWasWritten) {
  Pair pair(loop.shard());
  ASSERT_TRUE(loop.run(pair.client.write("EHLO a\r\n", soon())));
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 8, soon())), "EHLO a\r\n");
  EXPECT_EQ(pair.client.remote(), pair.server.local());
  EXPECT_EQ(pair.server.remote(), pair.client.local());
  EXPECT_FALSE(pair.client.tls());
}

TEST_F(StreamTest, ReadTakesNoMoreThanAskedFor) {
  Pair pair(loop.shard());
  ASSERT_TRUE(loop.run(pair.client.write("abcdef", soon())));
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 2, soon())), "ab");
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 4, soon())), "cdef");
}

TEST_F(StreamTest, WritesPiecesInOrderAndSkipsEmptyOnes) {
  Pair pair(loop.shard());
  const std::vector<std::string_view> pieces = {"", "MAIL ", "", "FROM:", "<>", "\r\n", ""};
  ASSERT_TRUE(loop.run(pair.client.write(pieces, soon())));
  ASSERT_TRUE(loop.run(pair.client.write(std::span<const std::string_view>(), soon())));
  Rope rope;
  for (int i = 0; i < 100; ++i)
    rope.append(Bytes::copy_of(std::to_string(i)));  // more than one system call's worth
  ASSERT_TRUE(loop.run(pair.client.write("DATA\r\n", rope, "\r\n.\r\n", soon())));
  const std::string expected = "MAIL FROM:<>\r\nDATA\r\n" + rope.to_string() + "\r\n.\r\n";
  EXPECT_EQ(*loop.run(read_exactly(pair.server, expected.size(), soon())), expected);
}

TEST_F(StreamTest, PartialWritesGoOnWhenThePeerReads) {
  Pair pair(loop.shard());
  std::mt19937_64 random(7);
  Rope rope;
  for (int i = 0; i < 300; ++i)
    rope.append(Bytes::adopt(std::string(1 + random() % 60'000, static_cast<char>(i))));
  std::optional<Result<void>> written;
  loop.spawn(store(pair.client.write("before", rope, "after", soon()), written));
  const std::string expected = "before" + rope.to_string() + "after";
  const Result<std::string> got = loop.run(read_exactly(pair.server, expected.size(), soon()));
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == expected);
  loop.drive([&] { return written.has_value(); });
  EXPECT_TRUE(*written);
}

TEST_F(StreamTest, ReadDeadlineLeavesTheStreamUsable) {
  Pair pair(loop.shard());
  std::array<char, 16> buffer;
  EXPECT_EQ(code_of(loop.run(pair.server.read_some(buffer, in(20ms)))), Errc::kTimeout);
  EXPECT_EQ(code_of(loop.run(pair.server.read_some(buffer, in(-1s)))), Errc::kTimeout)
      << "one that has passed";
  ASSERT_TRUE(loop.run(pair.client.write("late", soon())));
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 4, soon())), "late");
  EXPECT_EQ(loop.shard().timers().size(), 0U);
}

TEST_F(StreamTest, WriteDeadline) {
  Pair pair(loop.shard());
  const std::string much(64 << 20, 'x');
  EXPECT_EQ(code_of(loop.run(pair.client.write(much, in(50ms)))), Errc::kTimeout);
}

TEST_F(StreamTest, OneSidesDeadlineDoesNotEndTheOther) {
  Pair pair(loop.shard());
  std::array<char, 16> buffer;
  std::optional<Result<std::size_t>> read;
  loop.spawn(store(pair.client.read_some(buffer, soon()), read));
  const std::string much(64 << 20, 'x');
  EXPECT_EQ(code_of(loop.run(pair.client.write(much, in(50ms)))), Errc::kTimeout);
  EXPECT_FALSE(read);
  ASSERT_TRUE(loop.run(pair.server.write("go on", soon())));
  loop.drive([&] { return read.has_value(); });
  EXPECT_EQ(**read, 5U);
}

TEST_F(StreamTest, EndIsZeroAndStaysZero) {
  HalfPair half(loop.shard());
  half.say("QUIT");
  half.peer.reset();
  std::array<char, 16> buffer;
  EXPECT_EQ(*loop.run(half.stream.read_some(buffer, soon())), 4U);
  EXPECT_EQ(*loop.run(half.stream.read_some(buffer, soon())), 0U);
  EXPECT_EQ(*loop.run(half.stream.read_some(buffer, soon())), 0U);
}

TEST_F(StreamTest, ResetWhileReading) {
  HalfPair half(loop.shard());
  std::array<char, 16> buffer;
  std::optional<Result<std::size_t>> read;
  loop.spawn(store(half.stream.read_some(buffer, soon()), read));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  half.reset();
  loop.drive([&] { return read.has_value(); });
  EXPECT_EQ(code_of(*read), Errc::kReset);
}

TEST_F(StreamTest, ResetWhileWriting) {
  HalfPair half(loop.shard());
  const std::string much(64 << 20, 'x');
  std::optional<Result<void>> written;
  loop.spawn(store(half.stream.write(much, soon()), written));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  half.reset();
  loop.drive([&] { return written.has_value(); });
  EXPECT_EQ(code_of(*written), Errc::kReset);
  EXPECT_EQ(code_of(loop.run(half.stream.write("more", soon()))), Errc::kReset) << "and no SIGPIPE";
}

TEST_F(StreamTest, CloseWakesWhoWaits) {
  Pair pair(loop.shard());
  std::array<char, 16> buffer;
  std::optional<Result<std::size_t>> read;
  std::optional<Result<void>> written;
  const std::string much(64 << 20, 'x');
  loop.spawn(store(pair.client.read_some(buffer, soon()), read));
  loop.spawn(store(pair.client.write(much, soon()), written));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  EXPECT_FALSE(read);
  EXPECT_FALSE(written);
  pair.client.close();
  loop.drive([&] { return read && written; });
  EXPECT_EQ(code_of(*read), Errc::kClosed);
  EXPECT_EQ(code_of(*written), Errc::kClosed);
  EXPECT_FALSE(pair.client.is_open());
  EXPECT_EQ(code_of(loop.run(pair.client.read_some(buffer, soon()))), Errc::kClosed);
  EXPECT_EQ(code_of(loop.run(pair.client.write("x", soon()))), Errc::kClosed);
  EXPECT_EQ(code_of(loop.run(pair.client.wait_readable(soon()))), Errc::kClosed);
  EXPECT_EQ(code_of(loop.run(pair.client.shutdown_write(soon()))), Errc::kClosed);
  pair.client.close();
}

TEST_F(StreamTest, ADefaultStreamIsClosed) {
  Stream stream;
  EXPECT_FALSE(stream.is_open());
  EXPECT_EQ(code_of(loop.run(stream.write("x", soon()))), Errc::kClosed);
  EXPECT_EQ(stream.remote(), Address{});
  stream.close();
}

TEST_F(StreamTest, HalfCloseEndsOurSideOnly) {
  Pair pair(loop.shard());
  ASSERT_TRUE(loop.run(pair.client.write("QUIT\r\n", soon())));
  ASSERT_TRUE(loop.run(pair.client.shutdown_write(soon())));
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 100, soon())), "QUIT\r\n");
  ASSERT_TRUE(loop.run(pair.server.write("221 bye\r\n", soon())));
  EXPECT_EQ(*loop.run(read_exactly(pair.client, 9, soon())), "221 bye\r\n");
}

TEST_F(StreamTest, WaitReadableTakesNothing) {
  Pair pair(loop.shard());
  EXPECT_EQ(code_of(loop.run(pair.server.wait_readable(in(20ms)))), Errc::kTimeout);
  ASSERT_TRUE(loop.run(pair.client.write("abc", soon())));
  ASSERT_TRUE(loop.run(pair.server.wait_readable(soon())));
  ASSERT_TRUE(loop.run(pair.server.wait_readable(soon()))) << "still there";
  EXPECT_EQ(*loop.run(read_exactly(pair.server, 3, soon())), "abc");
  EXPECT_EQ(code_of(loop.run(pair.server.wait_readable(in(20ms)))), Errc::kTimeout);
  pair.client.close();
  ASSERT_TRUE(loop.run(pair.server.wait_readable(soon()))) << "the end is something to read";
}

TEST_F(StreamTest, PendingTellsDataFromEnd) {
  HalfPair half(loop.shard());
  EXPECT_EQ(half.stream.pending(), Stream::Pending::kNothing);
  half.say("421");
  ASSERT_TRUE(loop.run(half.stream.wait_readable(soon())));
  EXPECT_EQ(half.stream.pending(), Stream::Pending::kData);
  EXPECT_EQ(*loop.run(read_exactly(half.stream, 3, soon())), "421");
  EXPECT_EQ(half.stream.pending(), Stream::Pending::kNothing);
  half.peer.reset();
  ASSERT_TRUE(loop.run(half.stream.wait_readable(soon())));
  EXPECT_EQ(half.stream.pending(), Stream::Pending::kEnd);
}

TEST_F(StreamTest, FinishLetsThePeerSendOnAndReadTheLastReply) {
  HalfPair half(loop.shard());
  half.say(std::string(10'000, 'x'));  // unread input turns a plain close into a reset
  ASSERT_TRUE(loop.run(half.stream.write("554 no\r\n", soon())));
  std::thread peer([&] {
    std::array<char, 64> buffer;
    EXPECT_EQ(::recv(half.peer.get(), buffer.data(), buffer.size(), 0), 8);
    for (int i = 0; i < 20; ++i) half.say(std::string(10'000, 'y'));  // it had not noticed yet
    EXPECT_EQ(::recv(half.peer.get(), buffer.data(), buffer.size(), 0), 0) << "an end, no reset";
    half.peer.reset();
  });
  loop.run(half.stream.finish(soon()));
  peer.join();
  EXPECT_FALSE(half.stream.is_open());
}

TEST_F(StreamTest, AbortIsAResetForThePeer) {
  Pair pair(loop.shard());
  pair.client.abort();
  std::array<char, 8> buffer;
  EXPECT_EQ(code_of(loop.run(pair.server.read_some(buffer, soon()))), Errc::kReset);
  EXPECT_FALSE(pair.client.is_open());
}

TEST_F(StreamTest, FinishEndsAtItsDeadline) {
  HalfPair half(loop.shard());
  loop.run(half.stream.finish(in(30ms)));  // the peer never closes
  EXPECT_FALSE(half.stream.is_open());
}

Task<void> hog(Stream& stream, std::atomic<bool>& others_ran, std::size_t& read_until_then) {
  std::array<char, 1> buffer;
  while (!others_ran) {
    const Result<std::size_t> count = co_await stream.read_some(buffer, soon());
    if (!count || *count == 0) break;
    ++read_until_then;
  }
}

TEST_F(StreamTest, ABusyPeerDoesNotKeepTheShardForItself) {
  HalfPair half(loop.shard());
  half.say(std::string(10'000, 'x'));
  ASSERT_TRUE(loop.run(half.stream.wait_readable(soon())));
  std::atomic<bool> others_ran = false;
  std::size_t read = 0;
  loop.spawn(hog(half.stream, others_ran, read));
  loop.shard().post([&] { others_ran = true; });
  loop.drive([&] { return others_ran.load(); });
  loop.drive([&] { return loop.gate().count() == 0; });
  EXPECT_LT(read, 1000U);
}

// --- connect -------------------------------------------------------------------------------------

TEST_F(StreamTest, ConnectsFromAGivenAddress) {
  const RawListener listener;
  const Address source{*IpAddress::from_text("127.0.0.9"), 0};
  Result<Stream> stream = loop.run(connect(loop.shard(), listener.address(), source, soon()));
  ASSERT_TRUE(stream) << stream.error().to_string();
  EXPECT_EQ(stream->local().ip, source.ip);
  EXPECT_NE(stream->local().port, 0);
  EXPECT_EQ(stream->remote(), listener.address());
}

TEST_F(StreamTest, ConnectErrors) {
  Address nobody;
  {
    const RawListener gone;
    nobody = gone.address();
  }
  EXPECT_EQ(code_of(loop.run(connect(loop.shard(), nobody, {}, soon()))), Errc::kRefused);
  const Address foreign{*IpAddress::from_text("192.0.2.1"), 0};
  EXPECT_EQ(code_of(loop.run(connect(loop.shard(), nobody, foreign, soon()))),
            Errc::kAddressUnavailable);
  const Address other_family{IpAddress::loopback(Family::kIpv6), 0};
  EXPECT_FALSE(loop.run(connect(loop.shard(), nobody, other_family, soon())));
}

TEST_F(StreamTest, ConnectDeadline) {
  // A backlog that is full: further SYNs are not answered.
  const RawListener full(0);
  std::vector<Stream> waiting;
  std::error_code code;
  for (int i = 0; i < 20 && !code; ++i) {
    Result<Stream> stream = loop.run(connect(loop.shard(), full.address(), {}, in(100ms)));
    code = code_of(stream);
    if (stream) waiting.push_back(std::move(*stream));
  }
  EXPECT_EQ(code, Errc::kTimeout);
}

// What lies there when the end comes is read, and then the end: neither is waited for in vain.
TEST_F(StreamTest, AnEndBehindOctetsIsSeenWhicheverComesFirst) {
  for (const bool end_first : {true, false}) {
    HalfPair half(loop.shard());
    std::array<char, 64> buffer;
    std::optional<Result<std::size_t>> read;
    loop.spawn(store(half.stream.read_some(buffer, soon()), read));
    for (int i = 0; i < 3; ++i) loop.shard().poll();
    half.say("QUIT\r\n");
    if (end_first) half.peer.reset();
    loop.drive([&] { return read.has_value(); });
    EXPECT_EQ(**read, 6U);
    read.reset();
    loop.spawn(store(half.stream.read_some(buffer, soon()), read));
    for (int i = 0; i < 3; ++i) loop.shard().poll();
    if (!end_first) half.peer.reset();
    loop.drive([&] { return read.has_value(); });
    EXPECT_EQ(**read, 0U);
  }
}

// Octets that come while nobody waits are found by who waits later.
TEST_F(StreamTest, WhatCameUnobservedIsNotWaitedFor) {
  HalfPair half(loop.shard());
  std::array<char, 64> buffer;
  half.say("one");
  EXPECT_EQ(*loop.run(half.stream.read_some(buffer, soon())), 3U);
  half.say("two");
  for (int i = 0; i < 5; ++i) loop.shard().poll();
  EXPECT_TRUE(loop.run(half.stream.wait_readable(soon())));
  EXPECT_EQ(*loop.run(half.stream.read_some(buffer, soon())), 3U);
  const Result<std::size_t> nothing = loop.run(half.stream.read_some(buffer, in(30ms)));
  EXPECT_EQ(code_of(nothing), Errc::kTimeout);
}

Task<void> store(Task<Result<Stream>> task, std::optional<Result<Stream>>& out) {
  out.emplace(co_await std::move(task));
}

TEST_F(StreamTest, ConnectEndsAtTheStop) {
  const RawListener full(0);
  async::StopSignal stop;
  std::vector<Stream> connected;
  // Until one has to wait: the backlog is full then.
  std::optional<Result<Stream>> last;
  const auto until_it_waits = [&] {
    for (int i = 0; i < 20; ++i) {
      last.reset();
      loop.spawn(store(connect(loop.shard(), full.address(), {}, soon(), &stop), last));
      const Instant end = in(100ms);
      loop.drive([&] { return last.has_value() || std::chrono::steady_clock::now() >= end; });
      if (!last) return true;
      if (*last) connected.push_back(std::move(**last));
    }
    return false;
  };
  ASSERT_TRUE(until_it_waits());
  stop.request();
  loop.drive([&] { return last.has_value(); });
  EXPECT_EQ(code_of(*last), Errc::kClosed);
  ASSERT_FALSE(connected.empty());
  EXPECT_TRUE(connected.front().is_open()) << "what was connected is left alone";
  EXPECT_EQ(code_of(loop.run(connect(loop.shard(), full.address(), {}, soon(), &stop))),
            Errc::kClosed)
      << "and nothing begins any more";
  EXPECT_EQ(code_of(loop.run(
                tcp_connector().connect_until(loop.shard(), full.address(), {}, soon(), stop))),
            Errc::kClosed);
}

}  // namespace
}  // namespace godwit::net
