#include "common/accounting/dead_list.h"

#include <gtest/gtest.h>

#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace godwit::accounting {
namespace {

class DeadRecords : public testing::Test {
 protected:
  void put(std::string key, Rope value) {
    auto table = log_.shared_table(log::Topic::kDead);
    ASSERT_TRUE(table);
    std::vector<log::TableChange> changes;
    changes.push_back(
        {.where = {log::Topic::kDead, 0}, .key = std::move(key), .value = std::move(value)});
    (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }
  void bury(std::int64_t offset, std::int64_t time_ms, log::Topic topic, Rope value,
            std::uint32_t crashes = 0) {
    record::Dead dead;
    dead.head.set_topic(static_cast<std::uint32_t>(topic));
    dead.head.set_partition(3);
    dead.head.set_offset(offset);
    dead.head.set_time_unix_ms(time_ms);
    dead.head.set_role("router");
    dead.head.set_cause("malformed");
    dead.head.set_crashes(crashes);
    dead.value = std::move(value);
    put(record::dead_key("x", 3, offset), record::encode(dead));
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
};

TEST_F(DeadRecords, EmptyTable) {
  const auto list = list_dead(log_, 10);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->total, 0u);
  EXPECT_TRUE(list->rows.empty());
}

TEST_F(DeadRecords, SaysWhereFromAndWhom) {
  record::Message message;
  message.head.set_message_id(std::string(16, 'm'));
  message.envelope.add_recipients()->set_address("a@example.net");
  message.content.set_size(0);
  auto value = record::encode(message);
  ASSERT_TRUE(value);
  const std::size_t size = value->size();
  bury(7, 1'000, log::Topic::kAccepted, *value);

  const auto list = list_dead(log_, 10);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->rows.size(), 1u);
  const DeadRow& row = list->rows.front();
  EXPECT_EQ(row.topic, log::Topic::kAccepted);
  EXPECT_EQ(row.partition, 3u);
  EXPECT_EQ(row.offset, 7);
  EXPECT_EQ(row.time, from_unix_ms(1'000));
  EXPECT_EQ(row.role, "router");
  EXPECT_EQ(row.cause, "malformed");
  EXPECT_EQ(row.crashes, 0u);
  EXPECT_EQ(row.size, size);
  EXPECT_EQ(row.recipients, 1u);

  // What killed the process when it was decoded is not decoded to count.
  bury(8, 2'000, log::Topic::kAccepted, *value, 3);
  const auto both = list_dead(log_, 10);
  ASSERT_TRUE(both);
  ASSERT_EQ(both->rows.size(), 2u);
  EXPECT_EQ(both->rows[1].crashes, 3u);
  EXPECT_EQ(both->rows[1].size, size);
  EXPECT_EQ(both->rows[1].recipients, 0u);
}

TEST_F(DeadRecords, RecordsThatCannotBeReadAreListedWithoutRecipients) {
  bury(1, 1, log::Topic::kOutbound, Bytes::of_static("\xff\xff"));
  put("y", Bytes::of_static("\xff\xff"));
  const auto list = list_dead(log_, 10);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->rows.size(), 2u);
  EXPECT_EQ(list->rows[0].recipients + list->rows[1].recipients, 0u);
}

TEST_F(DeadRecords, ARecordInPartsIsOneRow) {
  bury(1, 1, log::Topic::kOutbound, Bytes::of_static("first"));
  record::Dead later;
  later.head.set_topic(static_cast<std::uint32_t>(log::Topic::kOutbound));
  put(record::dead_key("outbound", 3, 1, 1), record::encode(later));
  later.head.set_part(2);
  put("outbound/3/1", record::encode(later));
  later.head.set_part(0);
  later.head.set_topic(static_cast<std::uint32_t>(log::Topic::kRetries));
  put("retries/3/" + MessageId{}.to_text() + "/0/1", record::encode(later));
  EXPECT_EQ(list_dead(log_, 10)->total, 1u);
  put("retries/3/" + MessageId{}.to_text() + "/0", record::encode(later));
  EXPECT_EQ(list_dead(log_, 10)->total, 2u);
}

// Of eleven parts: the keys of the last ones come between those of the first.
TEST_F(DeadRecords, PartsArePutTogether) {
  const auto put_part = [&](std::uint32_t part, std::uint32_t parts) {
    record::Dead dead;
    dead.head.set_topic(static_cast<std::uint32_t>(log::Topic::kOutbound));
    dead.head.set_part(part);
    dead.head.set_parts(parts);
    dead.value = Rope(Bytes::adopt(std::to_string(part) + ";"));
    put(record::dead_key("outbound", 0, 5, part), record::encode(dead));
  };
  for (std::uint32_t part = 0; part < 11; ++part) put_part(part, 12);
  const auto values = [&] {
    std::vector<std::pair<std::string, bool>> found;
    EXPECT_TRUE(visit_dead(log_, [&](const DeadEntry& entry) {
      found.emplace_back(entry.dead->value.to_string(), entry.complete);
      return true;
    }));
    return found;
  };
  using Values = std::vector<std::pair<std::string, bool>>;
  EXPECT_EQ(values(), (Values{{"0;1;2;3;4;5;6;7;8;9;10;", false}}));
  put_part(11, 12);
  EXPECT_EQ(values(), (Values{{"0;1;2;3;4;5;6;7;8;9;10;11;", true}}));
  EXPECT_EQ(list_dead(log_, 10)->rows.front().size, 26u);
}

TEST_F(DeadRecords, KeepsTheOldestOfMany) {
  for (int i = 9; i >= 0; --i) bury(i, i, log::Topic::kReports, Bytes::of_static("x"));
  const auto list = list_dead(log_, 3);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->total, 10u);
  ASSERT_EQ(list->rows.size(), 3u);
  EXPECT_EQ(list->rows[0].offset, 0);
  EXPECT_EQ(list->rows[1].offset, 1);
  EXPECT_EQ(list->rows[2].offset, 2);
}

}  // namespace
}  // namespace godwit::accounting
