// A disk that is full, and segments that are used again: what stays, and until when.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/log/test_embedded.h"

namespace godwit::log {
namespace {

TEST_F(EmbeddedTest, AFullDiskKeepsTheReserveForCommitsAndDrains) {
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

class Recycling : public EmbeddedTest {
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

}  // namespace
}  // namespace godwit::log
