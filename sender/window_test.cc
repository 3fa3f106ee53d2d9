#include "sender/window.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace godwit::sender {
namespace {

using Finished = v1::FinishedPositions::TopicFinished;

std::vector<std::pair<std::int64_t, std::int64_t>> runs_of(const Window& window) {
  Finished finished;
  window.finished(finished);
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  for (int i = 0; i < finished.run_first_size(); ++i) {
    runs.emplace_back(finished.run_first(i), finished.run_length(i));
  }
  return runs;
}

using Runs = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(Window, StartsAtTheCommittedPosition) {
  Window window(17, {});
  EXPECT_EQ(window.next(), 17);
  EXPECT_TRUE(window.room());
  EXPECT_FALSE(window.finished_beyond());
}

TEST(Window, PositionStopsAtTheOldestUnfinished) {
  Window window(0, {});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(window.consume(i, 10));
  window.finish(1);
  window.finish(2);
  window.finish(4);
  EXPECT_EQ(window.next(), 0);
  EXPECT_TRUE(window.finished_beyond());
  EXPECT_EQ(runs_of(window), (Runs{{1, 2}, {4, 1}}));
  window.finish(0);
  EXPECT_EQ(window.next(), 3);
  EXPECT_EQ(runs_of(window), (Runs{{4, 1}}));
  window.finish(3);
  EXPECT_EQ(window.next(), 5);
  EXPECT_FALSE(window.finished_beyond());
  EXPECT_EQ(runs_of(window), Runs{});
}

TEST(Window, GapsBetweenRecordsBelongToNobody) {
  Window window(0, {});
  for (const int offset : {0, 2, 3, 7}) EXPECT_TRUE(window.consume(offset, 1));
  window.finish(2);
  window.finish(3);
  window.finish(7);
  EXPECT_EQ(runs_of(window), (Runs{{2, 6}}));
  window.finish(0);
  EXPECT_EQ(window.next(), 8);
}

TEST(Window, RoomEndsAtEitherLimit) {
  Window by_count(0, {.records_max = 2, .bytes_max = 1000});
  EXPECT_TRUE(by_count.consume(0, 1));
  EXPECT_TRUE(by_count.room());
  EXPECT_TRUE(by_count.consume(1, 1));
  EXPECT_FALSE(by_count.room());
  by_count.finish(1);  // out of order makes room too
  EXPECT_TRUE(by_count.room());

  Window by_bytes(0, {.records_max = 100, .bytes_max = 50});
  EXPECT_TRUE(by_bytes.consume(0, 49));
  EXPECT_TRUE(by_bytes.room());
  EXPECT_TRUE(by_bytes.consume(1, 1));
  EXPECT_FALSE(by_bytes.room());
}

TEST(Window, ARecordLargerThanTheLimitIsTakenAlone) {
  Window window(0, {.records_max = 10, .bytes_max = 50});
  EXPECT_TRUE(window.room());
  EXPECT_TRUE(window.consume(0, 5000));
  EXPECT_FALSE(window.room());
}

TEST(Window, WhatAnEarlierOwnerFinishedIsNotDoneAgain) {
  Finished finished;
  finished.set_next(10);
  finished.add_run_first(12);
  finished.add_run_length(2);
  finished.add_run_first(16);
  finished.add_run_length(1);
  Window window(10, {});
  window.restore(finished);
  EXPECT_EQ(runs_of(window), (Runs{{12, 2}, {16, 1}}));
  std::vector<log::Offset> todo;
  for (log::Offset offset = 10; offset < 18; ++offset) {
    if (window.consume(offset, 1)) todo.push_back(offset);
    EXPECT_EQ(runs_of(window), (Runs{{12, 2}, {16, 1}})) << "read to " << offset;
  }
  EXPECT_EQ(todo, (std::vector<log::Offset>{10, 11, 14, 15, 17}));
  for (const log::Offset offset : todo) window.finish(offset);
  EXPECT_EQ(window.next(), 18);
  EXPECT_FALSE(window.finished_beyond());
}

TEST(Window, ARestoredRunAtTheEndOfWhatWasReadIsForgottenToo) {
  Finished finished;
  finished.add_run_first(1);
  finished.add_run_length(2);
  Window window(0, {});
  window.restore(finished);
  EXPECT_TRUE(window.consume(0, 1));
  EXPECT_FALSE(window.consume(1, 1));
  EXPECT_FALSE(window.consume(2, 1));
  EXPECT_TRUE(window.finished_beyond());
  window.finish(0);
  EXPECT_EQ(window.next(), 3);
  EXPECT_FALSE(window.finished_beyond());
}

TEST(Window, RestoredRunsBelowThePositionAndBrokenOnesAreIgnored) {
  Finished finished;
  finished.add_run_first(3);
  finished.add_run_length(4);  // [3, 7): only [5, 7) is beyond the position
  finished.add_run_first(6);
  finished.add_run_length(9);  // overlaps: not ascending
  finished.add_run_first(20);
  finished.add_run_length(-1);
  Window window(5, {});
  window.restore(finished);
  EXPECT_EQ(runs_of(window), (Runs{{5, 2}}));
}

TEST(Window, SurvivesAnyOrderOfEndsAndRestarts) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::map<log::Offset, int> ended;
  const log::Offset last = 400;
  log::Offset committed = 0;
  Finished beyond;
  while (committed < last) {
    Window window(committed, {.records_max = 37, .bytes_max = 1u << 20});
    window.restore(beyond);
    std::set<log::Offset> open;
    log::Offset read = committed;
    const int steps = 1 + static_cast<int>(random() % 120);
    for (int step = 0; step < steps; ++step) {
      if (random() % 2 == 0 && window.room() && read < last) {
        if (window.consume(read, 1)) open.insert(read);
        ++read;
      } else if (!open.empty()) {
        auto victim = open.begin();
        std::advance(victim, static_cast<long>(random() % open.size()));
        window.finish(*victim);
        ++ended[*victim];
        open.erase(victim);
      }
    }
    // Commit everything, then the owner dies.
    committed = window.next();
    beyond.Clear();
    window.finished(beyond);
  }
  ASSERT_EQ(ended.size(), static_cast<std::size_t>(last));
  for (const auto& [offset, times] : ended) EXPECT_EQ(times, 1) << offset;
}

}  // namespace
}  // namespace godwit::sender
