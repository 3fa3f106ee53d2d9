#pragma once

// Every promise of log.h as a test. An implementation passes by instantiating the suite with a factory:
//
//     INSTANTIATE_TEST_SUITE_P(Embedded, LogConformance, testing::Values(ConformanceCase{"embedded", make}));
//
// Included by one translation unit of a test executable. Nothing here knows what kind of log it has, sleeps, or
// depends on how long a write takes; a wait that is not over after kPatience fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/test_eventually.h"
#include "common/log/log_test_support.h"

namespace godwit::log {

// A log under test. `restart` ends it as a process would that stops, and opens it again; before it is called
// everything got from the log was destroyed.
class ConformanceLog {
 public:
  virtual ~ConformanceLog() = default;
  virtual Log& log() = 0;
  virtual void restart() = 0;
};

struct ConformanceCase {
  std::string name;
  std::function<std::unique_ptr<ConformanceLog>()> make;
};
inline void PrintTo(const ConformanceCase& value, std::ostream* out) {
  *out << value.name;
}

class LogConformance : public testing::TestWithParam<ConformanceCase> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }

  Log& log() { return under_test_->log(); }
  void restart() { under_test_->restart(); }
  std::unique_ptr<Reader> reader(TopicPartition where, Offset from = 0) {
    auto made = log().read_from(where, from);
    EXPECT_TRUE(made) << made.error().to_string();
    return std::move(*made);
  }
  struct Joined {
    std::shared_ptr<RecordingListener> listener = std::make_shared<RecordingListener>();
    std::unique_ptr<Group> group;
    std::map<PartitionId, std::shared_ptr<Ownership>> owned;
    Ownership& operator[](PartitionId partition) { return *owned.at(partition); }
    void leave() {
      group->stop(kPatience);
      listener->forget();
      owned.clear();
      group.reset();
    }
  };
  Joined join(GroupSpec spec) {
    Joined joined;
    const Topic topic = spec.subscribed;
    auto group = log().join(std::move(spec), joined.listener);
    EXPECT_TRUE(group) << group.error().to_string();
    joined.group = std::move(*group);
    joined.owned = joined.listener->wait_for(log().partitions(topic));
    return joined;
  }

 private:
  std::unique_ptr<ConformanceLog> under_test_;
};

// --- Appending and reading -------------------------------------------------------------------------------------

TEST_P(LogConformance, WhatWasAppendedIsReadBackInOrder) {
  const auto producer = log().producer();
  auto first =
      append_now(*producer, {append_of(kAccepted0, "a", "one"), append_of(kAccepted0, "", "")});
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ(first->offsets, (std::vector<Offset>{0, 1}));
  ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, "c", "three")}));

  const auto records = read_records(*reader(kAccepted0), 3);
  EXPECT_EQ(values_of(records), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ(records[0].key, "a");
  EXPECT_EQ(records[2].offset, 2);
  EXPECT_GT(to_unix_ms(records[2].time), 0);
}

TEST_P(LogConformance, AValueOfManyPiecesIsOneValue) {
  const auto producer = log().producer();
  Append append = append_of(kAccepted0, "k", "head ");
  append.value.append(Bytes::copy_of(std::string(3000, 'x')));
  append.value.append(Bytes::copy_of(" tail"));
  const std::string expected = append.value.to_string();
  std::vector<Append> records;
  records.push_back(std::move(append));
  ASSERT_TRUE(append_now(*producer, std::move(records)));
  EXPECT_EQ(values_of(read_records(*reader(kAccepted0), 1)), std::vector{expected});
}

TEST_P(LogConformance, PartitionsAndTopicsAreApart) {
  const auto producer = log().producer();
  const TopicPartition other{Topic::kAccepted, 1};
  const auto written = append_now(
      *producer, {append_of(kAccepted0, "", "a0"), append_of(other, "", "a1"),
                  append_of(kOutbound0, "", "o0"), append_of(kAccepted0, "", "a0 again")});
  ASSERT_TRUE(written);
  EXPECT_EQ(written->offsets, (std::vector<Offset>{0, 0, 0, 1}));
  EXPECT_EQ(values_of(read_records(*reader(kAccepted0), 2)),
            (std::vector<std::string>{"a0", "a0 again"}));
  EXPECT_EQ(values_of(read_records(*reader(other), 1)), std::vector<std::string>{"a1"});
  EXPECT_EQ(log().end(kAccepted0), 2);
  EXPECT_EQ(log().end(kOutbound0), 1);
  EXPECT_EQ(log().end({Topic::kEvents, 0}), 0);
}

TEST_P(LogConformance, ManyThreadsLoseAndDoubleNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const auto producer = log().producer();
      for (int i = 0; i < kEach; ++i) {
        if (!append_now(*producer, {append_of(kAccepted0, std::to_string(t), std::to_string(i))})) {
          ++failures;
        }
      }
    });
  }
  const auto records = read_records(*reader(kAccepted0), kThreads * kEach);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  std::map<std::string, int> next;
  for (const Record& record : records) {
    EXPECT_EQ(record.value.to_string(), std::to_string(next[record.key]++)) << record.key;
  }
  EXPECT_EQ(log().end(kAccepted0), kThreads * kEach);
}

TEST_P(LogConformance, ARecordOverTheLimitIsRefusedAndNothingIsWritten) {
  const auto producer = log().producer();
  const auto large_value =
      append_now(*producer, {append_of(kAccepted0, "", "small"),
                             append_of(kAccepted0, "", std::string(kRecordBytesMax + 1, 'x'))});
  ASSERT_FALSE(large_value);
  EXPECT_EQ(large_value.error().code, Errc::kTooLarge);
  const auto large_key =
      append_now(*producer, {append_of(kAccepted0, std::string(kKeyBytesMax + 1, 'k'), "")});
  ASSERT_FALSE(large_key);
  EXPECT_EQ(large_key.error().code, Errc::kTooLarge);
  EXPECT_EQ(log().end(kAccepted0), 0);
  ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, std::string(kKeyBytesMax, 'k'),
                                               std::string(kRecordBytesMax - kKeyBytesMax, 'x'))}));
}

TEST_P(LogConformance, AnAppendOfNothingIsDone) {
  const auto producer = log().producer();
  const auto written = append_now(*producer, {});
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->offsets.empty());
}

TEST_P(LogConformance, TakeKeepsItsLimitsButGivesOneRecordAtLeast) {
  const auto producer = log().producer();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, "", std::string(1000, 'x'))}));
  }
  const auto reading = reader(kAccepted0);
  // What is there comes when it was fetched, which may be record by record.
  const auto take = [&](std::size_t records_max, std::size_t bytes_max) {
    Awaited<bool> ready;
    reading->when_ready([set = ready.setter()] { set(true); });
    ready.get();
    auto taken = reading->take(records_max, bytes_max);
    EXPECT_TRUE(taken) << taken.error().to_string();
    return taken->size();
  };
  for (int left = 2; left > 0;) {
    const std::size_t taken = take(static_cast<std::size_t>(left), 1 << 20);
    ASSERT_GE(taken, 1u);
    ASSERT_LE(taken, static_cast<std::size_t>(left));
    left -= static_cast<int>(taken);
  }
  EXPECT_EQ(take(10, 1), 1u);
  EXPECT_EQ(reading->next(), 3);
  EXPECT_LE(take(10, 1500), 1u);
  while (reading->next() < 5) EXPECT_GE(take(10, 2500), 1u);
  EXPECT_EQ(reading->next(), 5);
  EXPECT_TRUE(reading->take(10, 1 << 20)->empty());
  reading->skip_to(1);
  EXPECT_EQ(reading->next(), 1);
  EXPECT_EQ(read_records(*reading, 4).front().offset, 1);
}

TEST_P(LogConformance, AReaderIsWokenWhenARecordComes) {
  const auto producer = log().producer();
  const auto reading = reader(kAccepted0);
  Awaited<bool> replaced;
  Awaited<bool> woken;
  reading->when_ready([set = replaced.setter()] { set(true); });
  reading->when_ready([set = woken.setter()] { set(true); });
  EXPECT_FALSE(woken.is_set());
  ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, "", "x")}));
  woken.get();
  EXPECT_FALSE(replaced.is_set());
  EXPECT_EQ(reading->take(1, 1)->size(), 1u);

  ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, "", "y")}));
  Awaited<bool> at_once;
  reading->when_ready([set = at_once.setter()] { set(true); });
  at_once.get();
}

TEST_P(LogConformance, AReaderThatWasDestroyedIsNotWoken) {
  const auto producer = log().producer();
  auto reading = reader(kAccepted0);
  Awaited<bool> woken;
  reading->when_ready([set = woken.setter()] { set(true); });
  reading.reset();
  const auto witness = reader(kAccepted0);
  ASSERT_TRUE(append_now(*producer, {append_of(kAccepted0, "", "x")}));
  read_records(*witness, 1);
  EXPECT_FALSE(woken.is_set());
}

TEST_P(LogConformance, AcknowledgedRecordsSurviveARestart) {
  for (int life = 0; life < 3; ++life) {
    auto producer = log().producer();
    const auto written =
        append_now(*producer, {append_of(kAccepted0, "", "life " + std::to_string(life))});
    ASSERT_TRUE(written) << written.error().to_string();
    EXPECT_EQ(written->offsets.front(), life);
    EXPECT_EQ(read_records(*reader(kAccepted0), static_cast<std::size_t>(life) + 1).size(),
              static_cast<std::size_t>(life) + 1);
    producer.reset();
    restart();
  }
}

TEST_P(LogConformance, RecordsAreReadByPosition) {
  auto producer = log().producer();
  ASSERT_TRUE(append_now(*producer,
                         {append_of(kAccepted0, "a", "one"), append_of(kAccepted0, "b", "two")}));
  const auto read = [&](Offset offset) {
    Awaited<Result<Record>> done;
    log().read_at({kAccepted0, offset}, done.setter());
    return done.get();
  };
  for (int life = 0; life < 2; ++life) {
    const auto record = read(1);
    ASSERT_TRUE(record) << record.error().to_string();
    EXPECT_EQ(record->value.to_string(), "two");
    EXPECT_EQ(record->key, "b");
    EXPECT_EQ(record->offset, 1);
    EXPECT_EQ(read(2).error().code, Errc::kNotFound);
    producer.reset();
    if (life == 0) restart();
  }
}

// --- Groups, positions and tables --------------------------------------------------------------------------------

TEST_P(LogConformance, AGroupOwnsEveryPartitionAndBeginsAtTheStart) {
  const auto producer = log().producer();
  ASSERT_TRUE(append_now(*producer, {append_of(kOutbound0, "", "first")}));
  Joined sender = join(sender_spec());
  EXPECT_EQ(sender.owned.size(), log().partitions(Topic::kOutbound));
  EXPECT_EQ(sender[0].committed(Topic::kOutbound), 0);
  EXPECT_EQ(values_of(read_records(sender[0].reader(Topic::kOutbound), 1)),
            std::vector<std::string>{"first"});
  sender.leave();
}

TEST_P(LogConformance, ACommitIsSeenAsAWhole) {
  const auto producer = log().producer();
  ASSERT_TRUE(append_now(*producer, {append_of(kOutbound0, "", "in")}));
  Joined sender = join(sender_spec());
  const TopicPartition events{Topic::kEvents, 1};
  const auto written = commit_now(
      sender[0],
      {.appends = {append_of(events, "", "delivered"), append_of(events, "", "deferred")},
       .changes = {change_of(kRetries0, "d/1", "parked"),
                   change_of(kRetries0, "d/2", "parked too")},
       .positions = {{kOutbound0, 1}}});
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(written->offsets, (std::vector<Offset>{0, 1}));
  EXPECT_EQ(sender[0].committed(Topic::kOutbound), 1);
  EXPECT_EQ(*log().committed("sender", kOutbound0), 1);
  EXPECT_EQ(sender[0].table(Topic::kRetries).get("d/1")->value_or(""), "parked");
  EXPECT_EQ(values_of(read_records(*reader(events), 2)),
            (std::vector<std::string>{"delivered", "deferred"}));
  sender.leave();
}

TEST_P(LogConformance, ARestartedGroupContinuesAtItsPositionWithItsTables) {
  auto producer = log().producer();
  ASSERT_TRUE(
      append_now(*producer, {append_of(kOutbound0, "", "one"), append_of(kOutbound0, "", "two")}));
  Joined sender = join(sender_spec());
  ASSERT_TRUE(commit_now(
      sender[0], {.changes = {change_of(kRetries0, "d/1", "7")}, .positions = {{kOutbound0, 1}}}));
  sender.leave();
  producer.reset();
  restart();
  sender = join(sender_spec());
  EXPECT_EQ(sender[0].committed(Topic::kOutbound), 1);
  EXPECT_EQ(values_of(read_records(sender[0].reader(Topic::kOutbound), 1)),
            std::vector<std::string>{"two"});
  EXPECT_EQ(rows_of(sender[0].table(Topic::kRetries)),
            (std::map<std::string, std::string>{{"d/1", "7"}}));
  EXPECT_EQ(index_of(sender[0].table(Topic::kRetries)), std::vector<std::string>{"v7/d/1"});
  sender.leave();
}

TEST_P(LogConformance, CommitsOfAPartitionAreAppliedInOrder) {
  Joined sender = join(sender_spec());
  std::vector<Awaited<Result<Written>>> done(50);
  for (int i = 0; i < 50; ++i) {
    sender[0].commit({.changes = {change_of(kRetries0, "k", std::to_string(i))}},
                     done[static_cast<std::size_t>(i)].setter());
  }
  for (auto& one : done) ASSERT_TRUE(one.get());
  EXPECT_EQ(sender[0].table(Topic::kRetries).get("k")->value(), "49");
  EXPECT_EQ(index_of(sender[0].table(Topic::kRetries)), std::vector<std::string>{"v49/k"});
  sender.leave();
}

TEST_P(LogConformance, WithinOneCommitTheLastChangeOfAKeyCounts) {
  Joined sender = join(sender_spec());
  ASSERT_TRUE(commit_now(
      sender[0],
      {.changes = {change_of(kRetries0, "a", "1"), change_of(kRetries0, "a", std::nullopt),
                   change_of(kRetries0, "a", "2"), change_of(kRetries0, "b", "3"),
                   change_of(kRetries0, "b", std::nullopt)}}));
  EXPECT_EQ(rows_of(sender[0].table(Topic::kRetries)),
            (std::map<std::string, std::string>{{"a", "2"}}));
  EXPECT_EQ(index_of(sender[0].table(Topic::kRetries)), std::vector<std::string>{"v2/a"});
  sender.leave();
}

TEST_P(LogConformance, RowsAndIndexAreScannedByRange) {
  Joined sender = join(sender_spec());
  std::vector<TableChange> changes;
  for (const char* key : {"a", "b", "c", "d"}) changes.push_back(change_of(kRetries0, key, key));
  changes.push_back(change_of({Topic::kRetries, 1}, "b", "other partition"));
  ASSERT_TRUE(commit_now(sender[0], {.changes = {changes.begin(), changes.begin() + 4}}));
  ASSERT_TRUE(commit_now(sender[1], {.changes = {changes.back()}}));
  const Table& table = sender[0].table(Topic::kRetries);
  EXPECT_EQ(rows_of(table, "b", "d"), (std::map<std::string, std::string>{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(rows_of(table, "c"), (std::map<std::string, std::string>{{"c", "c"}, {"d", "d"}}));
  EXPECT_EQ(index_of(table, "vb", "vd"), (std::vector<std::string>{"vb/b", "vc/c"}));
  int visited = 0;
  ASSERT_TRUE(
      table.scan("", "", [&](std::string_view, std::string_view) { return ++visited < 2; }));
  EXPECT_EQ(visited, 2);
  EXPECT_EQ(table.get("x")->has_value(), false);
  sender.leave();
}

TEST_P(LogConformance, AnIndexerOfAnotherVersionRebuildsTheIndex) {
  Joined sender = join(sender_spec());
  ASSERT_TRUE(commit_now(sender[0], {.changes = {change_of(kRetries0, "a", "1")}}));
  sender.leave();
  GroupSpec spec = sender_spec();
  spec.indexer_version = 2;
  spec.indexer = [](std::string_view key, std::string_view, const Emit& emit) {
    emit("by key/" + std::string(key));
  };
  sender = join(spec);
  EXPECT_EQ(index_of(sender[0].table(Topic::kRetries)), std::vector<std::string>{"by key/a"});
  sender.leave();
}

TEST_P(LogConformance, AfterTheGroupStoppedACommitIsFenced) {
  Joined sender = join(sender_spec());
  const auto kept = sender.owned.at(0);
  sender.group->stop(kPatience);
  EXPECT_EQ(sender.listener->revoked_count(), log().partitions(Topic::kOutbound));
  const auto late = commit_now(*kept, {.changes = {change_of(kRetries0, "a", "late")}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kFenced);
  sender.leave();
  sender = join(sender_spec());
  EXPECT_TRUE(rows_of(sender[0].table(Topic::kRetries)).empty());
  sender.leave();
}

TEST_P(LogConformance, StopDoesNotWaitLongerThanItsBound) {
  Joined sender = join(sender_spec());
  sender.listener->hold_on();
  sender.group->stop(std::chrono::milliseconds(1));
  const auto late = commit_now(sender[0], {.positions = {{kOutbound0, 0}}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kFenced);
  sender.leave();
}

TEST_P(LogConformance, TwoGroupsHavePositionsOfTheirOwn) {
  const auto producer = log().producer();
  ASSERT_TRUE(append_now(*producer, {append_of(kOutbound0, "", "x")}));
  Joined sender = join(sender_spec());
  Joined other = join({.name = "other", .subscribed = Topic::kOutbound});
  ASSERT_TRUE(commit_now(sender[0], {.positions = {{kOutbound0, 1}}}));
  EXPECT_EQ(*log().committed("sender", kOutbound0), 1);
  EXPECT_EQ(*log().committed("other", kOutbound0), 0);
  EXPECT_EQ(*log().committed("nobody", kOutbound0), 0);
  sender.leave();
  other.leave();
}

// --- Shared tables -------------------------------------------------------------------------------------------------

TEST_P(LogConformance, ASharedTableIsTheSameForEveryone) {
  auto writer = *log().shared_table(Topic::kSuppressions);
  auto reading = *log().shared_table(Topic::kSuppressions);
  Awaited<std::string> changed;
  reading->when_changed(
      [set = changed.setter()](std::span<const TableChange> changes) { set(changes.front().key); });
  const TopicPartition where{Topic::kSuppressions, log().partitions(Topic::kSuppressions) - 1};
  ASSERT_TRUE(change_now(*writer, {change_of(where, "a@example.test", "hard")}));
  EXPECT_EQ(changed.get(), "a@example.test");
  EXPECT_EQ(reading->local().get("a@example.test")->value_or(""), "hard");
  EXPECT_TRUE(reading->caught_up());
  ASSERT_TRUE(change_now(*writer, {change_of(where, "a@example.test", std::nullopt)}));
  EXPECT_FALSE(writer->local().get("a@example.test")->has_value());
  ASSERT_TRUE(change_now(*writer, {change_of(where, "b@example.test", "hard")}));
  reading.reset();
  writer.reset();
  restart();
  reading = *log().shared_table(Topic::kSuppressions);
  EXPECT_TRUE(eventually([&] { return reading->caught_up(); }));
  EXPECT_EQ(rows_of(reading->local()),
            (std::map<std::string, std::string>{{"b@example.test", "hard"}}));
}

TEST_P(LogConformance, ACommitMayChangeASharedTable) {
  auto dead = *log().shared_table(Topic::kDead);
  Joined sender = join(sender_spec());
  ASSERT_TRUE(commit_now(sender[1], {.changes = {change_of({Topic::kDead, 1}, "x", "cause")}}));
  EXPECT_EQ(dead->local().get("x")->value_or(""), "cause");
  sender.leave();
}

TEST_P(LogConformance, AChangeAndAnAppendComeTogetherOrNotAtAll) {
  auto dead = *log().shared_table(Topic::kDead);
  ASSERT_TRUE(change_now(*dead, {change_of({Topic::kDead, 1}, "x", "cause")}));
  Awaited<Result<Written>> done;
  dead->change_and_append({change_of({Topic::kDead, 1}, "x", std::nullopt)},
                          {append_of(kAccepted0, "k", "again")}, done.setter());
  const Result<Written> written = done.get();
  const bool gone = !dead->local().get("x")->has_value();
  std::size_t records = 0;
  ASSERT_TRUE(log().history(Topic::kAccepted, {}, [&](const HistoryRecord&) {
    ++records;
    return true;
  }));
  EXPECT_EQ(gone, written.has_value());
  EXPECT_EQ(records, written ? 1u : 0u);
  if (written) EXPECT_EQ(written->offsets, std::vector<Offset>{0});
  if (!written) EXPECT_EQ(written.error().code, Errc::kUnsupported);
}

// --- History, and the end ------------------------------------------------------------------------------------------

TEST_P(LogConformance, HistoryHasRecordsAndRows) {
  auto producer = log().producer();
  const TopicPartition events{Topic::kEvents, 1};
  ASSERT_TRUE(append_now(*producer,
                         {append_of(events, "1", "accepted"), append_of(events, "2", "delivered"),
                          append_of(kAccepted0, "", "not asked for")}));
  Joined sender = join(sender_spec());
  ASSERT_TRUE(
      commit_now(sender[1], {.changes = {change_of({Topic::kRetries, 1}, "d/1", "parked")}}));
  sender.leave();
  for (int life = 0; life < 2; ++life) {
    std::vector<std::string> seen;
    ASSERT_TRUE(log().history(Topic::kEvents, {}, [&](const HistoryRecord& record) {
      EXPECT_EQ(record.where, events);
      EXPECT_EQ(record.record.offset, static_cast<Offset>(seen.size()));
      seen.push_back(record.record.key + record.record.value.to_string());
      return true;
    }));
    EXPECT_EQ(seen, (std::vector<std::string>{"1accepted", "2delivered"}));
    seen.clear();
    ASSERT_TRUE(log().history(Topic::kRetries, {}, [&](const HistoryRecord& record) {
      EXPECT_EQ(record.where, (TopicPartition{Topic::kRetries, 1}));
      seen.push_back(record.record.key + "=" + record.record.value.to_string());
      return true;
    }));
    EXPECT_EQ(seen, std::vector<std::string>{"d/1=parked"});
    producer.reset();
    if (life == 0) restart();
  }
}

TEST_P(LogConformance, HistoryStopsWhenToldAndBeginsWhenAsked) {
  const auto producer = log().producer();
  const TopicPartition events{Topic::kEvents, 0};
  ASSERT_TRUE(append_now(*producer, {append_of(events, "", "1"), append_of(events, "", "2")}));
  int visited = 0;
  ASSERT_TRUE(
      log().history(Topic::kEvents, {}, [&](const HistoryRecord&) { return ++visited < 1; }));
  EXPECT_EQ(visited, 1);
  ASSERT_TRUE(log().history(Topic::kEvents, Timestamp::max(),
                            [&](const HistoryRecord&) { return ++visited < 10; }));
  EXPECT_EQ(visited, 1);
}

TEST_P(LogConformance, AClosedLogFinishesWhatIsUnderWayAndRefusesTheRest) {
  const auto producer = log().producer();
  Joined sender = join(sender_spec());
  Awaited<Result<Written>> under_way;
  Awaited<Result<Written>> committing;
  sender[0].commit({.changes = {change_of(kRetries0, "k", "v")}}, committing.setter());
  producer->append({append_of(kAccepted0, "", "x")}, under_way.setter());
  sender.leave();
  log().close();
  EXPECT_TRUE(under_way.get());
  EXPECT_TRUE(committing.get());
  const auto late = append_now(*producer, {append_of(kAccepted0, "", "late")});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kClosed);
  EXPECT_FALSE(log().status().writable);
}

TEST_P(LogConformance, AnOpenLogIsWritable) {
  EXPECT_TRUE(log().status().writable) << log().status().problem;
  EXPECT_GT(log().status().bytes_free, 0u);
}

}  // namespace godwit::log
