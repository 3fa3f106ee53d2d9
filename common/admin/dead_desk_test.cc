#include "common/admin/dead_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/admin/errc.h"
#include "common/audit/audit.h"
#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"
#include "common/record/event_view.h"
#include "common/record/keys.h"

namespace godwit::admin {
namespace {

using log::Topic;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kPartBytes = log::kRecordBytesMax - 4096;

class DeadDeskTest : public testing::Test {
 protected:
  static MessageId id() { return *MessageId::from_octets("0123456789abcdef"); }

  static record::Message message(std::size_t content_bytes = 10) {
    record::Message message;
    message.head.set_message_id(std::string(id().octets()));
    message.head.set_tenant("acme");
    message.head.set_total(2);
    message.envelope.set_sender("ann@acme.example");
    for (std::uint32_t i = 0; i < 2; ++i) {
      message.envelope.add_recipients()->set_address("r" + std::to_string(i) + "@example.net");
      message.envelope.mutable_recipients(static_cast<int>(i))->set_index(i);
    }
    message.content.set_size(content_bytes);
    message.data = Rope(Bytes::adopt(std::string(content_bytes, 'x')));
    return message;
  }
  static record::Delivery delivery(std::size_t content_bytes = 10) {
    record::Delivery delivery;
    delivery.head.set_message_id(std::string(id().octets()));
    delivery.head.set_index(0);
    delivery.head.set_tenant("acme");
    delivery.head.set_site("site");
    delivery.head.set_pool("pool");
    delivery.head.set_attempts(3);
    delivery.envelope = message().envelope;
    delivery.content.set_size(content_bytes);
    delivery.data = Rope(Bytes::adopt(std::string(content_bytes, 'x')));
    return delivery;
  }

  // Puts a record into dead as router and sender do; its key.
  std::string bury(Topic topic, const Rope& value, std::uint32_t crashes = 0) {
    const std::string key = topic == Topic::kRetries
                                ? "retries/1/" + id().to_text() + "/0"
                                : record::dead_key(log::topic_name(topic), 1, 7);
    const std::size_t parts =
        std::max<std::size_t>(1, (value.size() + kPartBytes - 1) / kPartBytes);
    std::vector<log::TableChange> changes;
    for (std::size_t part = 0; part < parts; ++part) {
      record::Dead dead;
      dead.head.set_topic(static_cast<std::uint32_t>(topic));
      dead.head.set_partition(1);
      dead.head.set_offset(7);
      dead.head.set_cause("it was not to be read");
      dead.head.set_role("router");
      dead.head.set_crashes(crashes);
      dead.head.set_key("the key");
      dead.head.set_part(static_cast<std::uint32_t>(part));
      dead.head.set_parts(static_cast<std::uint32_t>(parts));
      dead.value = value.slice(part * kPartBytes, kPartBytes);
      changes.push_back({{Topic::kDead, 1},
                         part == 0 ? key : key + "/" + std::to_string(part),
                         record::encode(dead)});
    }
    auto table = log_.shared_table(Topic::kDead).value();
    table->change(std::move(changes), [](Result<log::Written> written) { EXPECT_TRUE(written); });
    return key;
  }
  std::vector<std::string> rows() {
    std::vector<std::string> keys;
    EXPECT_TRUE(log_.history(Topic::kDead, {}, [&](const log::HistoryRecord& at) {
      keys.push_back(at.record.key);
      return true;
    }));
    return keys;
  }
  void accept() {
    log_.producer()->append({{{Topic::kAccepted, 0}, "", *record::encode(message()), {}}},
                            [](Result<log::Written> written) { EXPECT_TRUE(written); });
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  DeadDesk desk_{log_, clock_, "mta1"};
};

TEST_F(DeadDeskTest, NoSuchRow) {
  for (const char* key : {"", "accepted/1/7", "accepted/1/7/1"}) {
    EXPECT_EQ(desk_.show(key).error().code, Errc::kInvalid) << key;
    EXPECT_EQ(desk_.retry(key).error().code, Errc::kInvalid) << key;
    EXPECT_EQ(desk_.drop(key, "ann", true).error().code, Errc::kInvalid) << key;
  }
}

TEST_F(DeadDeskTest, ALaterPartIsNoRecord) {
  const std::string key = bury(Topic::kAccepted, *record::encode(message(700'000)));
  EXPECT_EQ(desk_.drop(key + "/1", "ann", true).error().code, Errc::kInvalid);
  EXPECT_THAT(rows(), SizeIs(2));
}

TEST_F(DeadDeskTest, ShowsWhoseItIs) {
  const auto details = desk_.show(bury(Topic::kAccepted, *record::encode(message())));
  ASSERT_TRUE(details);
  EXPECT_EQ(details->message_id, id().to_text());
  EXPECT_EQ(details->sender, "ann@acme.example");
  EXPECT_THAT(details->recipients, ElementsAre("r0@example.net", "r1@example.net"));
  EXPECT_EQ(details->row.cause, "it was not to be read");
  // What killed the process is not decoded for looking at it; its ids are told all the same.
  const auto killer = desk_.show(bury(Topic::kOutbound, *record::encode(delivery()), 3));
  EXPECT_THAT(killer->recipients, ElementsAre(id().to_text() + "/0", id().to_text() + "/1"));
}

TEST_F(DeadDeskTest, RetryPutsTheRecordBackAsItWas) {
  for (const Topic topic : {Topic::kAccepted, Topic::kOutboundUrgent, Topic::kReports}) {
    const Rope value = topic == Topic::kAccepted ? *record::encode(message())
                                                 : Rope(Bytes::of_static("cannot be decoded"));
    const auto retried = desk_.retry(bury(topic, value, topic == Topic::kAccepted ? 3 : 0));
    ASSERT_TRUE(retried) << retried.error().to_string();
    EXPECT_EQ(retried->now, (log::RecordPosition{{topic, 1}, 0}));
    const auto records = log_.records({topic, 1});
    ASSERT_THAT(records, SizeIs(1));
    EXPECT_EQ(records[0].key, "the key");
    EXPECT_EQ(records[0].value.to_string(), value.to_string());
    EXPECT_THAT(rows(), IsEmpty());
  }
}

TEST_F(DeadDeskTest, RetryOfWhatIsTooLargeForARecord) {
  const auto retried = desk_.retry(bury(Topic::kOutbound, *record::encode(delivery(1'200'000))));
  ASSERT_TRUE(retried) << retried.error().to_string();
  EXPECT_THAT(rows(), IsEmpty());
  const auto again = record::decode_delivery(log_.records({Topic::kOutbound, 1}).at(0).value);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->where(), record::Delivery::Where::kBody);
  const auto& body = again->content.body();
  const auto chunks = log_.records({Topic::kBodies, body.partition()});
  ASSERT_EQ(chunks.size(), body.chunks());
  std::size_t octets = 0;
  for (const log::Record& chunk : chunks) octets += chunk.value.size();
  EXPECT_EQ(octets, again->content.size());
  EXPECT_EQ(chunks.front().offset, body.first_offset());
}

TEST_F(DeadDeskTest, WhatWasParkedGoesToTheOwnerThroughOutbound) {
  record::Delivery parked = delivery();
  parked.head.set_class_(v1::URGENT);
  const auto retried = desk_.retry(bury(Topic::kRetries, *record::encode(parked)));
  ASSERT_TRUE(retried) << retried.error().to_string();
  EXPECT_EQ(retried->now.where, (log::TopicPartition{Topic::kOutboundUrgent, 1}));
  const auto records = log_.records({Topic::kOutboundUrgent, 1});
  EXPECT_EQ(records.at(0).key, std::string("site\0pool", 9));
  EXPECT_EQ(record::decode_delivery(records.at(0).value)->head.attempts(), 3U);
  EXPECT_THAT(rows(), IsEmpty());
  // One that cannot be decoded has no place to go.
  EXPECT_EQ(desk_.retry(bury(Topic::kRetries, Rope(Bytes::of_static("?")))).error().code,
            Errc::kInvalid);
}

TEST_F(DeadDeskTest, ARetryThatFailsChangesNothing) {
  const std::string key = bury(Topic::kAccepted, *record::encode(message()));
  log_.fail_next(log::Errc::kUnavailable);
  EXPECT_EQ(desk_.retry(key).error().code, log::Errc::kUnavailable);
  EXPECT_THAT(rows(), ElementsAre(key));
  EXPECT_THAT(log_.records(Topic::kAccepted), IsEmpty());
}

TEST_F(DeadDeskTest, DropEndsEachRecipientOnce) {
  accept();
  const std::string key = bury(Topic::kOutbound, *record::encode(delivery()));
  const auto dropped = desk_.drop(key, "ann@laptop", false);
  ASSERT_TRUE(dropped) << dropped.error().to_string();
  EXPECT_EQ(dropped->cancelled, 2U);
  EXPECT_THAT(rows(), IsEmpty());
  std::vector<std::string> ids;
  for (const log::Record& at : log_.records(Topic::kEvents)) {
    const auto event = record::decode_event(at.value);
    ids.push_back(record::event_id(event->head));
    EXPECT_EQ(event->head.type(), v1::CANCELLED);
    EXPECT_EQ(event->head.reply().text(), "dropped from dead by ann@laptop: it was not to be read");
    EXPECT_EQ(event->head.tenant(), "acme");
    EXPECT_EQ(event->addresses.sender(), "ann@acme.example");
  }
  EXPECT_THAT(ids,
              ElementsAre(id().to_text() + "/0/cancelled/3", id().to_text() + "/1/cancelled/3"));
}

TEST_F(DeadDeskTest, WhatKilledTheProcessIsDroppedWithoutDecodingIt) {
  const auto dropped =
      desk_.drop(bury(Topic::kAccepted, *record::encode(message()), 3), "ann", false);
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->cancelled, 2U);
}

TEST_F(DeadDeskTest, NobodysMailTakesForce) {
  const std::string key = bury(Topic::kOutbound, Rope(Bytes::of_static("noise")));
  const auto refused = desk_.drop(key, "ann", false);
  EXPECT_EQ(refused.error().code, Errc::kRefused);
  EXPECT_THAT(refused.error().context, HasSubstr("--force"));
  EXPECT_THAT(rows(), ElementsAre(key));
  EXPECT_EQ(desk_.drop(key, "ann", true)->cancelled, 0U);
  EXPECT_THAT(rows(), IsEmpty());
}

// `ctl log repair` names parts in its keys; they come from no topic.
TEST_F(DeadDeskTest, OctetsOfTheLogAreOneRecord) {
  auto table = log_.shared_table(Topic::kDead).value();
  std::vector<log::TableChange> changes;
  record::Dead dead;
  dead.value = Rope(Bytes::of_static("octets"));
  for (const char* part : {"0000", "0001", "0002"})
    changes.push_back({{Topic::kDead, 0}, std::string("repair/1/2/") + part, record::encode(dead)});
  changes.push_back({{Topic::kDead, 0}, "repair/1/3/0000", record::encode(dead)});
  table->change(std::move(changes), [](const Result<log::Written>&) {});
  EXPECT_EQ(desk_.retry("repair/1/2/0000").error().code, Errc::kInvalid);
  EXPECT_TRUE(desk_.drop("repair/1/2/0000", "ann", false));
  EXPECT_THAT(rows(), ElementsAre("repair/1/3/0000"));
}

}  // namespace
}  // namespace godwit::admin
