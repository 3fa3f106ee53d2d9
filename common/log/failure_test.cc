// What a disk can do to the embedded log, one thing at a time: octets that are not what was written, writes and
// syncs that fail.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/log/segment_format.h"
#include "common/log/test_embedded.h"

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

TEST_F(EmbeddedTest, ATornTailIsCut) {
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

TEST_F(EmbeddedTest, ABadBatchBelowTheMarkIsCorruptionAndNothingIsChanged) {
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

TEST_F(EmbeddedTest, ABadHeaderBelowTheMarkIsCorruptionToo) {
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

TEST_F(EmbeddedTest, WhatTheTablesReflectMustBeThere) {
  must_open();
  ASSERT_TRUE(append("only"));
  const auto [path, at] = find("only");
  close();  // with a checkpoint behind it
  files_.flip_bit(path, at, 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

TEST_F(EmbeddedTest, ABitThatFlipsWhileTheLogRunsIsFoundByTheReader) {
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

TEST_F(EmbeddedTest, TablesThatDoNotOpenAreReportedAndNeverWiped) {
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

TEST_F(EmbeddedTest, AMissingSegmentIsCorruption) {
  must_open();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(append(std::string(3000, 'x')));
  const auto [path, at] = find("xxx");
  close();
  ASSERT_TRUE(files_.remove(path));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorrupt);
}

TEST_F(EmbeddedTest, AfterAFailedSyncTheBatchIsWrittenElsewhere) {
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

TEST_F(EmbeddedTest, AfterAFailedWriteToo) {
  must_open();
  ASSERT_TRUE(append("first"));
  files_.fail_writes(".segment", 1);
  ASSERT_TRUE(append("second"));
  kill();
  must_open();
  EXPECT_EQ(accepted(), (std::vector<std::string>{"first", "second"}));
}

TEST_F(EmbeddedTest, WhenNothingCanBeSyncedTheLogIsBrokenAndSaysSo) {
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

}  // namespace
}  // namespace godwit::log
