#include "common/net/slot_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <set>
#include <thread>

namespace godwit::net {
namespace {

constexpr std::size_t kBytes = 7680;
constexpr std::size_t kSlotsOfChunk = 8;

TEST(SlotPool, SlotsAreApartAndAligned) {
  SlotPool pool({kBytes, kSlotsOfChunk, 64});
  ASSERT_TRUE(pool.usable());
  std::set<std::uintptr_t> places;
  for (int i = 0; i < 64; ++i) {
    void* const slot = pool.allocate();
    ASSERT_NE(slot, nullptr);
    ASSERT_TRUE(pool.owns(slot));
    std::memset(slot, i, kBytes);
    const auto place = reinterpret_cast<std::uintptr_t>(slot);
    EXPECT_EQ(place % 16, 0u);
    places.insert(place);
  }
  EXPECT_EQ(places.size(), 64u);
  for (auto it = places.begin(), next = std::next(it); next != places.end(); it = next++)
    EXPECT_GE(*next - *it, kBytes);
  EXPECT_EQ(pool.allocate(), nullptr) << "more than there are";
  pool.release(reinterpret_cast<void*>(*places.begin()));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool.allocate()), *places.begin());
}

TEST(SlotPool, WhatIsNotItsOwnItDoesNotOwn) {
  const SlotPool pool({kBytes, kSlotsOfChunk, 64});
  const int here = 0;
  EXPECT_FALSE(pool.owns(&here));
  EXPECT_FALSE(pool.owns(nullptr));
}

TEST(SlotPool, EmptyChunksGoBackToTheSystem) {
  constexpr std::size_t kChunks = 100;
  SlotPool pool({kBytes, kSlotsOfChunk, kChunks * kSlotsOfChunk});
  std::vector<void*> slots(kChunks * kSlotsOfChunk);
  for (void*& slot : slots) {
    slot = pool.allocate();
    std::memset(slot, 1, kBytes);
  }
  EXPECT_EQ(pool.chunks_held(), kChunks);
  for (void* slot : slots) pool.release(slot);
  EXPECT_EQ(pool.chunks_held(), SlotPool::kIdleChunksMax);
  // A page that went back reads as zeros.
  EXPECT_EQ(*static_cast<char*>(slots.back()), 0);
}

TEST(SlotPool, ThreadsKeepTheirSlots) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  SlotPool pool({960, 64, 4096});
  std::atomic<int> spoiled{0};
  const auto work = [&](unsigned number) {
    std::minstd_rand random(seed + number);
    std::vector<unsigned*> mine;
    for (unsigned step = 0; step < 20'000; ++step) {
      if (mine.size() < 256 && random() % 2 == 0) {
        mine.push_back(static_cast<unsigned*>(pool.allocate()));
        *mine.back() = number;
      } else if (!mine.empty()) {
        std::swap(mine[random() % mine.size()], mine.back());
        spoiled += *mine.back() != number;
        pool.release(mine.back());
        mine.pop_back();
      }
    }
    for (unsigned* slot : mine) pool.release(slot);
  };
  std::vector<std::jthread> threads;
  for (unsigned number = 0; number < 4; ++number) threads.emplace_back(work, number);
  threads.clear();
  EXPECT_EQ(spoiled, 0);
  EXPECT_LE(pool.chunks_held(), SlotPool::kIdleChunksMax);
}

}  // namespace
}  // namespace godwit::net
