#include "ingress/failure_limiter.h"

#include <gtest/gtest.h>

#include <string>

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

constexpr Instant kNow = Instant{} + 1h;

TEST(FailureLimiter, BlocksAtTheBoundUntilTheWindowIsOver) {
  FailureLimiter limiter(3, 15min);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(limiter.blocked("ann", kNow)) << i;
    limiter.failed("ann", kNow + std::chrono::minutes(i));
  }
  EXPECT_TRUE(limiter.blocked("ann", kNow + 2min));
  EXPECT_FALSE(limiter.blocked("bob", kNow + 2min));
  EXPECT_TRUE(limiter.blocked("ann", kNow + 15min - 1ms)) << "counted from the first failure";
  EXPECT_FALSE(limiter.blocked("ann", kNow + 15min));
}

TEST(FailureLimiter, ANewWindowCountsFromOne) {
  FailureLimiter limiter(2, 15min);
  limiter.failed("ann", kNow);
  limiter.failed("ann", kNow + 20min);
  EXPECT_FALSE(limiter.blocked("ann", kNow + 20min));
  limiter.failed("ann", kNow + 21min);
  EXPECT_TRUE(limiter.blocked("ann", kNow + 21min));
}

TEST(FailureLimiter, SuccessForgets) {
  FailureLimiter limiter(2, 15min);
  limiter.failed("ann", kNow);
  limiter.succeeded("ann");
  limiter.failed("ann", kNow);
  EXPECT_FALSE(limiter.blocked("ann", kNow));
  limiter.succeeded("nobody");
}

TEST(FailureLimiter, KeysAreToldApartToTheLastOctet) {
  FailureLimiter limiter(1, 15min);
  limiter.failed(std::string(9000, 'x') + "a", kNow);
  EXPECT_TRUE(limiter.blocked(std::string(9000, 'x') + "a", kNow));
  EXPECT_FALSE(limiter.blocked(std::string(9000, 'x') + "b", kNow));
  EXPECT_FALSE(limiter.blocked("", kNow));
}

TEST(FailureLimiter, IsBounded) {
  FailureLimiter limiter(1, 16min, 10);
  for (int i = 0; i < 10; ++i) limiter.failed(std::to_string(i), kNow);
  limiter.failed("one more", kNow + 1min);
  EXPECT_EQ(limiter.size(), 10U);
  EXPECT_FALSE(limiter.blocked("one more", kNow + 1min)) << "not counted";
  limiter.failed("3", kNow + 1min);
  EXPECT_TRUE(limiter.blocked("3", kNow + 1min)) << "who is counted stays so";

  limiter.failed("later", kNow + 17min);
  EXPECT_TRUE(limiter.blocked("later", kNow + 17min)) << "windows that are over made room";
  EXPECT_EQ(limiter.size(), 1U);
}

}  // namespace
}  // namespace godwit::ingress
