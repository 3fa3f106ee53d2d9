#include "ingress/budget.h"

#include <gtest/gtest.h>

#include "ingress/failure_limiter.h"

namespace godwit::ingress {
namespace {

TEST(ByteBudget, TakesUpToItsBound) {
  const auto budget = std::make_shared<ByteBudget>(100);
  Reservation one(budget);
  EXPECT_TRUE(one.grow(60));
  EXPECT_FALSE(one.grow(41));
  EXPECT_TRUE(one.grow(40));
  EXPECT_TRUE(budget->exhausted());
  {
    Reservation other(budget);
    EXPECT_FALSE(other.grow(1));
  }
  EXPECT_EQ(budget->used(), 100u);
  one.release();
  EXPECT_EQ(budget->used(), 0u);
}

TEST(SessionCounts, OverAllAndOfOneAddress) {
  const auto a = *net::IpAddress::from_text("192.0.2.1");
  const auto b = *net::IpAddress::from_text("192.0.2.2");
  SessionCounts counts(4, 2);
  auto first = counts.enter(a, false);
  auto second = counts.enter(a, false);
  EXPECT_EQ(counts.enter(a, false).first, SessionCounts::Entry::kAddressFull);
  auto third = counts.enter(a, true);
  auto fourth = counts.enter(b, false);
  EXPECT_EQ(fourth.first, SessionCounts::Entry::kEntered);
  EXPECT_EQ(counts.enter(b, true).first, SessionCounts::Entry::kFull);
  EXPECT_EQ(counts.sessions(), 4u);
  {
    const auto gone = std::move(fourth.second);
  }
  EXPECT_EQ(counts.sessions(), 3u);
  EXPECT_EQ(counts.enter(b, false).first, SessionCounts::Entry::kEntered);
}

TEST(FailureLimiter, BlocksWithinItsWindow) {
  using namespace std::chrono_literals;
  FailureLimiter limiter(2, 10s, 2);
  const Instant start{};
  limiter.failed("a", start);
  EXPECT_FALSE(limiter.blocked("a", start));
  limiter.failed("a", start + 9s);
  EXPECT_TRUE(limiter.blocked("a", start + 9s));
  EXPECT_FALSE(limiter.blocked("a", start + 10s));
  EXPECT_FALSE(limiter.blocked("b", start));
  limiter.failed("a", start + 11s);  // a new window
  EXPECT_FALSE(limiter.blocked("a", start + 11s));
  limiter.failed("a", start + 11s);
  limiter.succeeded("a");
  EXPECT_FALSE(limiter.blocked("a", start + 11s));
  // At its bound it keeps what it counts and takes nothing new until windows end.
  for (const char* key : {"b", "c", "d", "d"}) limiter.failed(key, start + 20s);
  EXPECT_FALSE(limiter.blocked("d", start + 20s));
  for (int i = 0; i < 2; ++i) limiter.failed("d", start + 31s);
  EXPECT_TRUE(limiter.blocked("d", start + 31s));
}

}  // namespace
}  // namespace godwit::ingress
