// What a disk can do to the embedded log, one thing at a time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>

#include "common/base/manual_clock.h"
#include "common/log/embedded.h"
#include "common/log/log_test_support.h"
#include "common/log/segment_format.h"
#include "common/store/fake_file_system.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// RocksDB is not built with the sanitizer, so its locks are not seen.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:rocksdb::\n";
}
#endif
#endif

namespace godwit::log {
namespace {

constexpr std::uint32_t kSegmentBytes = 64 * 1024;

class EmbeddedFailure : public testing::Test {
 protected:
  EmbeddedFailure() {
    config_.directory = "/data";
    config_.partitions = 2;
    config_.segment_bytes = kSegmentBytes;
    config_.reserve_segments = 2;
    config_.reserve_table_bytes = 0;
    config_.tail_cache_bytes = 0;
    config_.commit_sync_delay_max = std::chrono::milliseconds(1);
    config_.file_system = &files_;
  }

  Result<void> open() {
    config_.counters = std::make_shared<Counters>();
    auto opened = open_embedded(config_, clock_);
    if (!opened) return fail(opened.error());
    log_ = *std::move(opened);
    return {};
  }
  void must_open() {
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().to_string();
  }
  void close() { log_.reset(); }
  // Ends without a word, as a killed process whose page cache survives does.
  void kill() {
    files_.freeze();
    log_.reset();
    files_.thaw();
  }

  Result<Written> append(std::string value, TopicPartition where = kAccepted0) {
    return append_now(*log_->producer(), {append_of(where, "key", std::move(value))});
  }
  std::vector<std::string> accepted() {
    const auto reader = *log_->read_from(kAccepted0, 0);
    std::vector<std::string> values;
    while (reader->next() < log_->end(kAccepted0)) {
      auto taken = reader->take(100, 1 << 20);
      if (!taken) {
        values.push_back(taken.error().to_string());
        return values;
      }
      for (const Record& record : *taken) values.push_back(record.value.to_string());
    }
    return values;
  }

  // The segment file that holds `text`, and where.
  std::pair<std::string, std::size_t> find(const std::string& text) {
    for (const std::string& path : files_.paths()) {
      if (!path.ends_with(".segment")) continue;
      if (const auto at = files_.contents(path).find(text); at != std::string::npos) {
        return {path, at};
      }
    }
    ADD_FAILURE() << text << " is in no segment";
    return {};
  }

  ManualClock clock_;
  store::FakeFileSystem files_{1};
  EmbeddedConfig config_;
  std::unique_ptr<Log> log_;
};

// --- Torn or corrupt ---------------------------------------------------------------------------------------------

TEST_F(EmbeddedFailure, ATornTailIsCut) {
  must_open();
  ASSERT_TRUE(append("first"));
  ASSERT_TRUE(append("the last one"));
  const auto [path, at] = find("the last one");
  kill();
  // Nothing behind it says that it was synced: the last batch's own mark is older.
  files_.flip_bit(path, at, 3);
  must_open();
  EXPECT_EQ(accepted(), std::vector<std::string>{"first"});
  ASSERT_TRUE(append("after"));
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "after"}));
  kill();
  must_open();
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "after"}));
}

TEST_F(EmbeddedFailure, ABadBatchBelowTheMarkIsCorruptionAndNothingIsChanged) {
  must_open();
  ASSERT_TRUE(append("first"));
  ASSERT_TRUE(append("second"));
  const auto [path, at] = find("first");
  kill();
  files_.flip_bit(path, at, 0);
  const std::string before = files_.contents(path);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kCorrupt);
    EXPECT_THAT(opened.error().context, testing::HasSubstr("segment 1 position 4096"));
    EXPECT_EQ(files_.contents(path), before);
  }
  files_.flip_bit(path, at, 0);
  must_open();
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(EmbeddedFailure, ABadHeaderBelowTheMarkIsCorruptionToo) {
  must_open();
  ASSERT_TRUE(append("first"));
  ASSERT_TRUE(append("second"));
  const auto [path, at] = find("first");
  kill();
  files_.flip_bit(path, kPageBytes, 0);  // the batch's magic
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

TEST_F(EmbeddedFailure, WhatTheTablesReflectMustBeThere) {
  must_open();
  ASSERT_TRUE(append("only"));
  const auto [path, at] = find("only");
  close();  // with a checkpoint behind it
  files_.flip_bit(path, at, 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

TEST_F(EmbeddedFailure, ABitThatFlipsWhileTheLogRunsIsFoundByTheReader) {
  must_open();
  ASSERT_TRUE(append("first"));
  ASSERT_TRUE(append("second"));
  const auto [path, at] = find("first");
  files_.flip_bit(path, at, 0);
  const auto reader = *log_->read_from(kAccepted0, 0);
  const auto taken = reader->take(10, 1000);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::kCorrupt);
  reader->skip_to(reader->next() + 1);
  EXPECT_EQ(values_of(*reader->take(10, 1000)), std::vector<std::string>{"second"});
}

TEST_F(EmbeddedFailure, TablesThatDoNotOpenAreReportedAndNeverWiped) {
  must_open();
  auto table = *log_->shared_table(Topic::kControl);
  ASSERT_TRUE(change_now(*table, {change_of({Topic::kControl, 0}, "k", "v")}));
  table.reset();
  close();
  const auto paths = files_.paths();
  const auto current = std::ranges::find_if(
      paths, [](const std::string& path) { return path.ends_with("/CURRENT"); });
  ASSERT_NE(current, paths.end());
  files_.flip_bit(*current, 0, 1);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
  EXPECT_THAT(opened.error().context, testing::HasSubstr("tables"));
  files_.flip_bit(*current, 0, 1);
  must_open();
  EXPECT_EQ((*log_->shared_table(Topic::kControl))->local().get("k")->value_or(""), "v");
}

TEST_F(EmbeddedFailure, AMissingSegmentIsCorruption) {
  must_open();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(append(std::string(3000, 'x')));
  const auto [path, at] = find("xxx");
  close();
  ASSERT_TRUE(files_.remove(path));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

// --- A sync or a write that fails ------------------------------------------------------------------------------------

TEST_F(EmbeddedFailure, AfterAFailedSyncTheBatchIsWrittenElsewhere) {
  must_open();
  ASSERT_TRUE(append("first"));
  files_.fail_syncs(".segment", 1);
  ASSERT_TRUE(append("second"));
  ASSERT_TRUE(append("third"));
  EXPECT_EQ(config_.counters->sync_failures_total, 1u);
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_TRUE(log_->status().writable);
  // What the failed sync left behind is on the disk, or not: it does not count.
  files_.freeze();
  log_.reset();
  files_.lose_power();
  must_open();
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "second", "third"}));
}

TEST_F(EmbeddedFailure, AfterAFailedWriteToo) {
  must_open();
  ASSERT_TRUE(append("first"));
  files_.fail_writes(".segment", 1);
  ASSERT_TRUE(append("second"));
  kill();
  must_open();
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(EmbeddedFailure, WhenNothingCanBeSyncedTheLogIsBrokenAndSaysSo) {
  must_open();
  auto listener = std::make_shared<RecordingListener>();
  auto group = *log_->join(sender_spec(), listener);
  auto owned = listener->wait_for(2);
  ASSERT_TRUE(append("first"));
  files_.fail_syncs(".segment", 1000);
  const auto open_answer = append("second");
  ASSERT_FALSE(open_answer);
  EXPECT_EQ(open_answer.error().code, Errc::kUnknown);
  const auto later = append("third");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Errc::kUnavailable);
  listener->wait_lost(2);
  EXPECT_FALSE(commit_now(*owned[0], {.positions = {{kOutbound0, 0}}}));
  EXPECT_FALSE(log_->status().writable);
  EXPECT_THAT(log_->status().problem, testing::HasSubstr("fdatasync"));
  owned.clear();
  listener->forget();
  group.reset();
  files_.fail_syncs(".segment", 0);
  kill();
  must_open();
  EXPECT_EQ(accepted().front(), "first");
}

// --- A disk that is full ------------------------------------------------------------------------------------------------

TEST_F(EmbeddedFailure, AFullDiskKeepsTheReserveForCommitsAndDrains) {
  files_.set_capacity(20 * kSegmentBytes);
  must_open();
  auto listener = std::make_shared<RecordingListener>();
  auto group = *log_->join({.name = "router", .subscribed = Topic::kAccepted}, listener);
  auto owned = listener->wait_for(2);

  // The tables compact meanwhile and give room back: full is when it says so and refuses.
  int taken = 0;
  while (true) {
    const bool writable = log_->status().writable;
    const auto written = append(std::string(3000, 'x'));
    if (written) {
      ASSERT_LT(++taken, 10'000);
    } else {
      ASSERT_EQ(written.error().code, Errc::kNoSpace);
      if (!writable) break;
    }
  }
  EXPECT_GT(taken, 20);

  // Commits use the reserve, and so make room.
  Reader& reader = owned[0]->reader(Topic::kAccepted);
  int routed = 0;
  while (routed < taken) {
    const auto records = reader.take(10, 1 << 20);
    ASSERT_TRUE(records) << records.error().to_string();
    routed += static_cast<int>(records->size());
    const auto written =
        commit_now(*owned[0], {.appends = {append_of({Topic::kEvents, 0}, "", "routed")},
                               .positions = {{kAccepted0, reader.next()}}});
    ASSERT_TRUE(written) << written.error().to_string();
  }
  // It goes on by itself.
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (!append("again")) ASSERT_LT(std::chrono::steady_clock::now(), patience);
  EXPECT_TRUE(log_->status().writable);
  owned.clear();
  listener->forget();
  group.reset();
  close();
  must_open();
  EXPECT_EQ(*log_->committed("router", kAccepted0), taken);
}

// --- Recycling ------------------------------------------------------------------------------------------------------------

class Recycling : public EmbeddedFailure {
 protected:
  // Appends events until `count` segments were recycled, or none is for a long time.
  bool churn(std::uint64_t count) {
    const std::uint64_t until = config_.counters->segments_recycled_total + count;
    for (int i = 0; i < 200 && config_.counters->segments_recycled_total < until; ++i) {
      if (!append(std::string(10'000, 'e'), {Topic::kEvents, 0})) return false;
      // The keeper looks when a segment begins; a checkpoint and a look around take it some time.
      std::this_thread::yield();
    }
    return config_.counters->segments_recycled_total >= until;
  }
  std::vector<Record> events() {
    std::vector<Record> records;
    EXPECT_TRUE(log_->history(Topic::kEvents, {}, [&](const HistoryRecord& record) {
      records.push_back(record.record);
      return true;
    }));
    return records;
  }
};

TEST_F(Recycling, UnreadMailIsNeverRecycledEvenWhenNobodyHasJoined) {
  must_open();
  for (const Topic topic : {Topic::kAccepted, Topic::kOutboundUrgent, Topic::kReports}) {
    ASSERT_TRUE(append("unread", {topic, 1}));
  }
  EXPECT_FALSE(churn(1));
  for (const Topic topic : {Topic::kAccepted, Topic::kOutboundUrgent, Topic::kReports}) {
    EXPECT_EQ(values_of(*(*log_->read_from({topic, 1}, 0))->take(1, 100)),
              std::vector<std::string>{"unread"});
  }
}

TEST_F(Recycling, EventsOutliveTheirSegmentInTheArchive) {
  must_open();
  ASSERT_TRUE(churn(6));
  const auto before = events();
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].offset, static_cast<Offset>(i));
    EXPECT_EQ(before[i].key, "key");
    EXPECT_EQ(before[i].value.size(), 10'000u);
    EXPECT_EQ(before[i].time, clock_.now());
  }
  EXPECT_GT(config_.counters->archived_records_total, 0u);
  close();
  must_open();
  EXPECT_EQ(events().size(), before.size());
  ASSERT_TRUE(churn(2));
  EXPECT_GT(events().size(), before.size());
}

TEST_F(Recycling, ThePolicyDecidesWhatIsKept) {
  config_.archive_policy = [](TopicPartition where, const Record& record) -> std::optional<Rope> {
    if (where.topic == Topic::kAuth) return Rope(Bytes::copy_of("stripped " + record.key));
    return std::nullopt;
  };
  must_open();
  ASSERT_TRUE(append("a long value", {Topic::kAuth, 0}));
  ASSERT_TRUE(churn(3));
  std::vector<std::string> kept;
  ASSERT_TRUE(log_->history(Topic::kAuth, {}, [&](const HistoryRecord& record) {
    kept.push_back(record.record.value.to_string());
    return true;
  }));
  EXPECT_EQ(kept, std::vector<std::string>{"stripped key"});
}

TEST_F(Recycling, WhatAnUnreadRecordRefersToStays) {
  must_open();
  auto listener = std::make_shared<RecordingListener>();
  auto group = *log_->join({.name = "router", .subscribed = Topic::kAccepted}, listener);
  auto routers = listener->wait_for(2);
  auto senders = std::make_shared<RecordingListener>();
  auto sending = *log_->join(sender_spec(), senders);
  auto owned = senders->wait_for(2);

  ASSERT_TRUE(append("content"));
  // The reference is written several segments later, and read later still.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(std::string(10'000, 'e'), {Topic::kEvents, 0}));
  Append reference = append_of(kOutbound0, "", "see accepted/0 at 0");
  reference.refers_to = RecordPosition{kAccepted0, 0};
  Batch batch;
  batch.appends.push_back(std::move(reference));
  batch.positions = {{kAccepted0, 1}};
  ASSERT_TRUE(commit_now(*routers[0], std::move(batch)));
  EXPECT_FALSE(churn(1));
  const auto read = [&] {
    Awaited<Result<Record>> done;
    log_->read_at({kAccepted0, 0}, done.setter());
    return done.get();
  };
  ASSERT_TRUE(read());
  EXPECT_EQ(read()->value.to_string(), "content");

  ASSERT_TRUE(commit_now(*owned[0], {.positions = {{kOutbound0, 1}}}));
  EXPECT_TRUE(churn(3));
  EXPECT_FALSE(read());
  owned.clear();
  routers.clear();
  listener->forget();
  senders->forget();
}

TEST_F(Recycling, ABodyIsHeldUntilARecordMustHaveReferredToIt) {
  config_.unreferenced_body_hold = std::chrono::minutes(15);
  must_open();
  ASSERT_TRUE(append("a chunk", {Topic::kBodies, 0}));
  EXPECT_FALSE(churn(1));
  clock_.advance(std::chrono::minutes(16));
  EXPECT_TRUE(churn(2));
}

// --- Opening ------------------------------------------------------------------------------------------------------------------

TEST_F(EmbeddedFailure, OneProcessAtATime) {
  must_open();
  const auto second = open_embedded(config_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  const auto reading = open_embedded_read_only(config_);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().code, Errc::kUnavailable);
}

TEST_F(EmbeddedFailure, AToolReadsWhatAKilledProcessLeftAndChangesNothing) {
  must_open();
  auto listener = std::make_shared<RecordingListener>();
  auto group = *log_->join(sender_spec(), listener);
  auto owned = listener->wait_for(2);
  const TopicPartition table{Topic::kRetries, 0};
  ASSERT_TRUE(
      commit_now(*owned[0], {.changes = {change_of(table, "a", "1"), change_of(table, "b", "2"),
                                         change_of(table, "c", "3")}}));
  ASSERT_TRUE(append("event", {Topic::kEvents, 1}));
  ASSERT_TRUE(append("in", kOutbound0));
  owned.clear();
  listener->forget();
  group.reset();
  close();  // checkpointed so far
  must_open();
  group = *log_->join(sender_spec(), listener);
  owned = listener->wait_for(2);
  ASSERT_TRUE(commit_now(
      *owned[0], {.changes = {change_of(table, "b", std::nullopt), change_of(table, "bb", "4")},
                  .positions = {{kOutbound0, 1}}}));
  owned.clear();
  listener->forget();
  group.reset();
  kill();

  const auto paths = files_.paths();
  const auto syncs = files_.syncs();
  {
    const auto reading = open_embedded_read_only(config_);
    ASSERT_TRUE(reading) << reading.error().to_string();
    std::map<std::string, std::string> rows;
    ASSERT_TRUE((*reading)->history(Topic::kRetries, {}, [&](const HistoryRecord& record) {
      rows[record.record.key] = record.record.value.to_string();
      return true;
    }));
    EXPECT_EQ(rows, (std::map<std::string, std::string>{{"a", "1"}, {"bb", "4"}, {"c", "3"}}));
    EXPECT_EQ(*(*reading)->committed("sender", kOutbound0), 1);
    EXPECT_EQ((*reading)->end({Topic::kEvents, 1}), 1);
    EXPECT_FALSE(append_now(*(*reading)->producer(), {append_of(kAccepted0, "", "")}));
  }
  EXPECT_EQ(files_.paths(), paths);
  EXPECT_EQ(files_.syncs(), syncs);
  must_open();
  EXPECT_EQ(*log_->committed("sender", kOutbound0), 1);
}

TEST_F(EmbeddedFailure, WithoutItsIdentityADirectoryIsNotTakenForEmpty) {
  must_open();
  ASSERT_TRUE(append("mail"));
  close();
  ASSERT_TRUE(files_.remove("/data/log/identity"));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

// --- Who waits for what ------------------------------------------------------------------------------------------------------

TEST_F(EmbeddedFailure, ARecordFromOutsideIsInvisibleUntilItIsSynced) {
  must_open();
  std::mutex mutex;
  std::condition_variable condition;
  bool waiting = false;
  bool let_go = false;
  files_.before_sync([&](const std::string& path) {
    if (!path.ends_with(".segment") || files_.contents(path).find("slow") == std::string::npos)
      return;
    std::unique_lock lock(mutex);
    waiting = true;
    condition.notify_all();
    condition.wait_for(lock, kPatience, [&] { return let_go; });
  });
  const auto producer = log_->producer();
  Awaited<Result<Written>> done;
  producer->append({append_of(kAccepted0, "", "slow")}, done.setter());
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(condition.wait_for(lock, kPatience, [&] { return waiting; }));
  }
  const auto reader = *log_->read_from(kAccepted0, 0);
  EXPECT_TRUE(reader->take(1, 100)->empty());
  EXPECT_EQ(log_->end(kAccepted0), 0);
  EXPECT_FALSE(done.is_set());
  {
    const std::lock_guard lock(mutex);
    let_go = true;
    condition.notify_all();
  }
  ASSERT_TRUE(done.get());
  EXPECT_EQ(reader->take(1, 100)->size(), 1u);
  files_.before_sync(nullptr);
}

TEST_F(EmbeddedFailure, ACommitIsReadableBeforeItsSyncAndDoneAfterIt) {
  config_.commit_sync_delay_max = std::chrono::hours(1);
  config_.tail_cache_bytes = 1 << 20;
  must_open();
  auto listener = std::make_shared<RecordingListener>();
  auto group = *log_->join(sender_spec(), listener);
  auto owned = listener->wait_for(2);
  const auto reader = *log_->read_from({Topic::kEvents, 0}, 0);
  Awaited<Result<Written>> done;
  owned[0]->commit({.appends = {append_of({Topic::kEvents, 0}, "", "early")},
                    .changes = {change_of(kRetries0, "d", "1")}},
                   done.setter());
  EXPECT_EQ(values_of(read_records(*reader, 1)), std::vector<std::string>{"early"});
  EXPECT_FALSE(done.is_set());
  EXPECT_EQ(log_->end({Topic::kEvents, 0}), 0);
  EXPECT_FALSE(owned[0]->table(Topic::kRetries).get("d")->has_value());
  ASSERT_TRUE(append("asks for a sync"));
  ASSERT_TRUE(done.get());
  EXPECT_EQ(log_->end({Topic::kEvents, 0}), 1);
  EXPECT_TRUE(owned[0]->table(Topic::kRetries).get("d")->has_value());
  owned.clear();
  listener->forget();
}

}  // namespace
}  // namespace godwit::log
