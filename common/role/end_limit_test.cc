#include "common/role/end_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace godwit::role {
namespace {

using namespace std::chrono_literals;

TEST(EndLimit, WhatDoesNotEndIsEnded) {
  std::atomic<int> calls{0};
  const auto begun = std::chrono::steady_clock::now();
  {
    const EndLimit limit(20ms, [&] {
      ++calls;
      calls.notify_all();
    });
    calls.wait(0);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 20ms);
  }
  EXPECT_EQ(calls, 1);
}

TEST(EndLimit, WhatEndsInTimeIsLeftAlone) {
  std::atomic<int> calls{0};
  const auto begun = std::chrono::steady_clock::now();
  {
    const EndLimit limit(60s, [&] { ++calls; });
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s) << "it does not wait for its bound";
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace godwit::role
