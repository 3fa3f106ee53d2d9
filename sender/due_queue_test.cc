#include "sender/due_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

const Timestamp kNow = from_unix_ms(1'767'225'600'000);

DueEntry entry(Timestamp at, std::uint32_t index) {
  return {at, {*MessageId::from_octets("0123456789abcdef"), index}};
}

// What the owner does: reads the index, a set of keys here.
void scan(DueQueue& queue, const std::set<std::string>& table, Timestamp now, std::size_t piece) {
  while (const auto wanted = queue.want_scan(now)) {
    std::vector<DueEntry> entries;
    auto at = table.lower_bound(wanted->from);
    for (; at != table.end() && *at < wanted->to && entries.size() < piece; ++at) {
      entries.push_back(parse_due(*at).value());
    }
    queue.scanned(entries, at == table.end() || *at >= wanted->to);
  }
}

TEST(DueQueue, StartsWithAScanOfEverythingOverdue) {
  DueQueue queue;
  EXPECT_LE(queue.next(kNow), kNow);
  const std::set<std::string> table = {due_key(entry(kNow - 24h, 1)), due_key(entry(kNow, 2)),
                                       due_key(entry(kNow + 4min, 3)),
                                       due_key(entry(kNow + 6min, 4))};
  scan(queue, table, kNow, 100);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(queue.take_due(kNow, 10), (std::vector{entry(kNow - 24h, 1), entry(kNow, 2)}));
  EXPECT_EQ(queue.next(kNow), kNow + 4min);
  EXPECT_FALSE(queue.want_scan(kNow + 4min));
  scan(queue, table, kNow + 4min + 1s, 100);
  EXPECT_EQ(queue.size(), 2U);
}

TEST(DueQueue, TakesNoMoreThanThereIsRoomFor) {
  DueQueue queue;
  scan(queue, {}, kNow, 1);
  for (std::uint32_t i = 0; i < 5; ++i) queue.parked(entry(kNow, i));
  EXPECT_EQ(queue.take_due(kNow, 2).size(), 2U);
  const DueEntry third = queue.take_due(kNow, 1).at(0);
  queue.put_back(third);
  EXPECT_EQ(queue.take_due(kNow, 10).at(0), third);
}

TEST(DueQueue, WhatIsParkedBeyondTheHorizonStaysInTheTable) {
  DueQueue queue;
  scan(queue, {}, kNow, 1);
  queue.parked(entry(kNow + 5min, 1));
  EXPECT_EQ(queue.size(), 0U);
  queue.parked(entry(kNow + 5min - 1ms, 2));
  EXPECT_EQ(queue.size(), 1U);
}

TEST(DueQueue, WhatIsParkedDuringAScanIsNotMissed) {
  DueQueue queue;
  ASSERT_TRUE(queue.want_scan(kNow));
  EXPECT_FALSE(queue.want_scan(kNow));
  queue.parked(entry(kNow + 1min, 1));  // the scan may have passed its place
  queue.scanned({}, true);
  EXPECT_EQ(queue.take_due(kNow + 1min, 10).size(), 1U);
}

TEST(DueQueue, AFailedScanIsAskedForAgain) {
  DueQueue queue;
  const auto first = queue.want_scan(kNow);
  queue.scan_failed();
  EXPECT_EQ(queue.want_scan(kNow)->from, first->from);
}

// Thousands due in one millisecond, read in pieces: each comes out.
TEST(DueQueue, PiecesWithinOneMillisecond) {
  DueQueue queue;
  std::set<std::string> table;
  for (std::uint32_t i = 0; i < 1000; ++i) table.insert(due_key(entry(kNow, i)));
  scan(queue, table, kNow, 7);
  EXPECT_EQ(queue.take_due(kNow, 5000).size(), 1000U);
}

// The law: whatever is parked, scanned and taken in any order, everything comes out when it is due.
TEST(DueQueue, NothingIsMissed) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  DueQueue queue;
  std::map<DueEntry, bool> all;  // taken?
  std::set<std::string> table;
  Timestamp now = kNow;
  std::uint32_t number = 0;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::milliseconds(random() % 5000);
    for (std::uint64_t n = random() % 4; n > 0; --n) {
      const DueEntry parked = entry(now + std::chrono::milliseconds(random() % 900'000), ++number);
      all[parked] = false;
      table.insert(due_key(parked));
      queue.parked(parked);
    }
    if (random() % 3 == 0) scan(queue, table, now, 1 + random() % 50 + 1);
    for (const DueEntry& due : queue.take_due(now, random() % 20)) {
      all[due] = true;
      table.erase(due_key(due));
    }
  }
  scan(queue, table, now, 10'000);
  for (const DueEntry& due : queue.take_due(now, 100'000)) all[due] = true;
  for (const auto& [parked, taken] : all) {
    EXPECT_EQ(taken, parked.at <= now) << to_unix_ms(parked.at) - to_unix_ms(now);
  }
}

}  // namespace
}  // namespace godwit::sender
