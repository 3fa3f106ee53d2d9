#include "common/log/kafka/admin_request.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

TEST(AdminRequest, WhatPassesIsAskedAgainUntilItIsAnswered) {
  int asked = 0;
  const auto answer = with_patience(60s, [&]() -> Answer<int> {
    if (++asked < 3) return refused("offsets", RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT);
    return 7;
  });
  EXPECT_EQ(answer.value(), 7);
  EXPECT_EQ(asked, 3);
}

TEST(AdminRequest, WhatDoesNotPassIsAnErrorAtOnce) {
  int asked = 0;
  const auto answer = with_patience(60s, [&]() -> Answer<int> {
    ++asked;
    return refused("offsets", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "not for you");
  });
  EXPECT_EQ(answer.error().context, "offsets: not for you");
  EXPECT_EQ(asked, 1);
}

TEST(AdminRequest, PatienceEnds) {
  int asked = 0;
  const auto answer = with_patience(0ms, [&]() -> Answer<int> {
    ++asked;
    return refused("offsets", RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT);
  });
  EXPECT_EQ(answer.error().context,
            "offsets: Broker: There are unstable offsets that need to be cleared");
  EXPECT_LE(asked, 2);
}

}  // namespace
}  // namespace godwit::log
