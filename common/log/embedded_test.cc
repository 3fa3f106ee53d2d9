// Who may open the embedded log and what he finds; who sees a record before it is synced.

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "common/log/test_embedded.h"

namespace godwit::log {
namespace {

TEST_F(EmbeddedTest, OneProcessAtATime) {
  must_open();
  const auto second = open_embedded(config_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  const auto reading = open_embedded_read_only(config_);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().code, Errc::kUnavailable);
}

TEST_F(EmbeddedTest, AToolReadsWhatAKilledProcessLeftAndChangesNothing) {
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

TEST_F(EmbeddedTest, WithoutItsIdentityADirectoryIsNotTakenForEmpty) {
  must_open();
  ASSERT_TRUE(append("mail"));
  close();
  ASSERT_TRUE(files_.remove("/data/log/identity"));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

TEST_F(EmbeddedTest, ARecordFromOutsideIsInvisibleUntilItIsSynced) {
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

TEST_F(EmbeddedTest, ACommitIsReadableBeforeItsSyncAndDoneAfterIt) {
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
