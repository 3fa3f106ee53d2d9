#include "common/log/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/manual_clock.h"
#include "common/log/log_test_support.h"
#include "common/store/fake_file_system.h"

namespace godwit::log {
namespace {

class RepairTest : public testing::Test {
 protected:
  RepairTest() {
    config_.directory = "/data";
    config_.partitions = 2;
    config_.segment_bytes = 64 * 1024;
    config_.reserve_segments = 1;
    config_.reserve_table_bytes = 0;
    config_.file_system = &files_;
  }
  void open() {
    auto opened = open_embedded(config_, clock_);
    ASSERT_TRUE(opened) << opened.error().to_string();
    log_ = *std::move(opened);
  }
  void append(const std::string& value) {
    ASSERT_TRUE(append_now(*log_->producer(), {append_of(kAccepted0, "k", value)}));
  }
  // Flips a bit `before` octets in front of the text: 0 in the text itself.
  void damage(const std::string& text, bool whole_page) {
    for (const std::string& path : files_.paths()) {
      const auto at = files_.contents(path).find(text);
      if (!path.ends_with(".segment") || at == std::string::npos) continue;
      files_.flip_bit(path, whole_page ? at / kPageBytes * kPageBytes : at, 0);
      return;
    }
    ADD_FAILURE() << text;
  }
  Result<std::vector<Unreadable>> repair_now() {
    return repair(config_, [](const Unreadable& where, std::string_view octets) {
      return where.file + ":" + std::string(octets);
    });
  }
  // What can be read, "?" for each record that cannot.
  std::vector<std::string> accepted() {
    const auto reader = *log_->read_from(kAccepted0, 0);
    std::vector<std::string> values;
    while (reader->next() < log_->end(kAccepted0)) {
      const auto taken = reader->take(100, 1 << 20);
      if (!taken) {
        EXPECT_EQ(taken.error().code, Errc::kCorrupt);
        values.emplace_back("?");
        reader->skip_to(reader->next() + 1);
        continue;
      }
      for (const Record& record : *taken) values.push_back(record.value.to_string());
    }
    return values;
  }

  ManualClock clock_;
  store::FakeFileSystem files_{1};
  EmbeddedConfig config_;
  std::unique_ptr<Log> log_;
};

TEST_F(RepairTest, ASoundLogIsLeftAlone) {
  open();
  append("mail");
  const auto while_open = repair_now();
  ASSERT_FALSE(while_open);
  EXPECT_EQ(while_open.error().code, Errc::kUnavailable);
  log_.reset();
  const auto repaired = repair_now();
  ASSERT_TRUE(repaired) << repaired.error().to_string();
  EXPECT_TRUE(repaired->empty());
}

TEST_F(RepairTest, WhatCannotBeReadGoesToDeadAndTheRestIsThere) {
  for (const bool header : {false, true}) {
    SCOPED_TRACE(header ? "a header" : "records");
    config_.file_system = &files_;
    open();
    const std::size_t before = accepted().size();
    const std::string lost = header ? "lost with its header" : "lost octets";
    append("one");
    append(lost);
    append("three");
    log_.reset();
    damage(lost, header);
    ASSERT_FALSE(open_embedded(config_, clock_));

    const auto repaired = repair_now();
    ASSERT_TRUE(repaired) << repaired.error().to_string();
    ASSERT_EQ(repaired->size(), 1u);
    EXPECT_EQ(repaired->front().bytes, kPageBytes);

    for (int life = 0; life < 2; ++life) {
      open();
      const auto values = accepted();
      ASSERT_EQ(values.size(), before + 3);
      EXPECT_THAT(std::vector(values.end() - 3, values.end()),
                  testing::ElementsAre("one", "?", "three"));
      bool kept = false;
      ASSERT_TRUE(log_->history(Topic::kDead, {}, [&](const HistoryRecord& row) {
        kept = kept || row.record.value.to_string().find(lost.substr(1)) != std::string::npos;
        return true;
      }));
      EXPECT_TRUE(kept);
      log_.reset();
    }
  }
}

TEST_F(RepairTest, TheNewestRecordsAreAHoleTooAndTheHistoryPassesOver) {
  open();
  append("one");
  append("the newest of all");
  log_.reset();  // the checkpoint knows how far offsets went
  damage("the newest of all", /*whole_page=*/true);
  ASSERT_TRUE(repair_now());
  open();
  EXPECT_THAT(accepted(), testing::ElementsAre("one", "?"));
  append("and on");
  EXPECT_THAT(accepted(), testing::ElementsAre("one", "?", "and on"));
  std::vector<std::string> history;
  ASSERT_TRUE(log_->history(Topic::kAccepted, {}, [&](const HistoryRecord& at) {
    history.push_back(at.record.value.to_string());
    return true;
  }));
  EXPECT_THAT(history, testing::ElementsAre("one", "and on"));
}

TEST_F(RepairTest, SegmentsThatFollowAreNotLost) {
  open();
  append("the first batch of all");
  for (int i = 0; i < 60; ++i) append(std::string(3000, 'x'));
  log_.reset();
  damage("the first batch of all", /*whole_page=*/true);
  const auto repaired = repair_now();
  ASSERT_TRUE(repaired) << repaired.error().to_string();
  open();
  EXPECT_EQ(accepted().size(), 60u);  // offset 0 is below the oldest one that is known
  append("and on");
  EXPECT_EQ(accepted().back(), "and on");
}

TEST_F(RepairTest, TablesThatDoNotOpenAreNotRepaired) {
  open();
  append("mail");
  log_.reset();
  for (const std::string& path : files_.paths()) {
    if (path.ends_with("/CURRENT")) files_.flip_bit(path, 0, 1);
  }
  const auto repaired = repair_now();
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace godwit::log
