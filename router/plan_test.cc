#include "router/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/log/errc.h"
#include "common/record/errc.h"
#include "common/record/event_view.h"

namespace godwit::router {
namespace {

using testing::ElementsAre;

constexpr log::RecordPosition kPosition{{log::Topic::kAccepted, 3}, 77};
const std::string kBody = "Subject: hi\r\n\r\nbody\r\n";

MessageId some_id() {
  return MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
}

record::Message message_to(const std::vector<std::string>& recipients,
                           std::uint32_t first_index = 0) {
  record::Message message;
  message.head.set_message_id(std::string(some_id().octets()));
  message.head.set_tenant("acme");
  message.head.set_accepted_unix_ms(1'000);
  message.head.add_tags("welcome");
  message.head.mutable_origin()->set_protocol("ESMTPA");
  message.envelope.set_sender("a@acme.example");
  message.envelope.set_envid("envelope");
  for (const std::string& address : recipients) {
    v1::Recipient* recipient = message.envelope.add_recipients();
    recipient->set_index(first_index++);
    recipient->set_address(address);
  }
  message.content.set_size(kBody.size());
  message.content.set_crc32c(7);
  message.data = Rope(Bytes::of_static(kBody));
  return message;
}

// Every domain is its own site.
std::vector<DomainGroup> grouped(const record::Message& message) {
  std::vector<DomainGroup> groups = group_by_domain(message.envelope);
  for (DomainGroup& group : groups) group.site = SiteName(group.domain);
  return groups;
}

class PlanTest : public testing::Test {
 protected:
  Result<std::vector<log::Append>> planned(const record::Message& message) {
    return planned(message, planner_);
  }
  Result<std::vector<log::Append>> planned(const record::Message& message, Planner& planner) {
    const std::vector<DomainGroup> groups = grouped(message);
    std::vector<log::Append> appends;
    TRY_VOID(planner.plan({.message = message,
                           .position = kPosition,
                           .groups = groups,
                           .pool = PoolName("default"),
                           .lanes = lanes_,
                           .now = from_unix_ms(1'500)},
                          appends));
    return appends;
  }
  static std::vector<log::Append> of(const std::vector<log::Append>& appends, log::Topic topic) {
    std::vector<log::Append> out;
    std::ranges::copy_if(appends, std::back_inserter(out),
                         [&](const log::Append& append) { return append.where.topic == topic; });
    return out;
  }
  static std::vector<record::Delivery> deliveries(const std::vector<log::Append>& appends,
                                                  log::Topic topic = log::Topic::kOutbound) {
    std::vector<record::Delivery> out;
    for (const log::Append& append : of(appends, topic))
      out.push_back(record::decode_delivery(append.value).value());
    return out;
  }

  control::LaneMap lanes_;
  PlanContext context_{
      .outbound_partitions = 16, .node = "n1", .by_position = true, .event_partitions = 16};
  Planner planner_{context_};
};

TEST(DomainOf, IsTheFormThatLookUpsUse) {
  const struct {
    std::string_view address, domain;
  } cases[] = {
      {"a@Example.COM", "example.com"},
      {"\"a@b\"@example.com", "example.com"},
      {"a@b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"a@[192.0.2.1]", "[192.0.2.1]"},
      {"a@[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"},
      {"postmaster", ""},
      {"a@", ""},
      {"a@b..c", "b..c"},
      {"a@b\nc", "b c"},
      {"a@\xff", "\\xff"},
  };
  for (const auto& [address, domain] : cases) EXPECT_EQ(domain_of(address), domain) << address;
  EXPECT_LE(domain_of("a@" + std::string(10'000, 'x')).size(), 253U);
}

TEST(GroupByDomain, KeepsTheOrderOfFirstRecipients) {
  const record::Message message =
      message_to({"a@x.test", "b@y.test", "c@X.TEST", "d@z.test", "e@y.test"});
  const auto groups = group_by_domain(message.envelope);
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[0].domain, "x.test");
  EXPECT_THAT(groups[0].recipients, ElementsAre(0, 2));
  EXPECT_EQ(groups[1].domain, "y.test");
  EXPECT_THAT(groups[1].recipients, ElementsAre(1, 4));
  EXPECT_THAT(groups[2].recipients, ElementsAre(3));
}

TEST(PoolOf, MailIsNotLostWhenControlDataChanged) {
  control::Snapshot control;
  control.pools["default"];
  control.pools["fast"];
  control.tenants["acme"].pool = PoolName("fast");
  control.tenants["left"].pool = PoolName("gone");
  const struct {
    std::string_view tenant, pool, expected;
    bool known;
  } cases[] = {
      {"acme", "", "fast", true},         {"acme", "default", "default", true},
      {"acme", "gone", "default", false}, {"left", "", "default", false},
      {"nobody", "", "default", false},   {"nobody", "fast", "fast", true},
      {"", "", "default", false},
  };
  for (const auto& [tenant, pool, expected, known] : cases) {
    v1::Message message;
    message.set_tenant(std::string(tenant));
    message.set_pool(std::string(pool));
    const PoolChoice choice = pool_of(message, control);
    EXPECT_EQ(choice.pool.text(), expected) << tenant << " " << pool;
    EXPECT_EQ(choice.known, known) << tenant << " " << pool;
  }
}

TEST_F(PlanTest, OneDeliveryForEachDomainWithAllOfItsRecipients) {
  record::Message message = message_to({"a@x.test", "b@y.test", "c@x.test"}, 10);
  message.head.set_due_unix_ms(5'000);
  message.head.set_smtputf8(true);
  const auto appends = planned(message).value();
  const auto made = deliveries(appends);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(record::delivery_id(made[0]).to_text(), some_id().to_text() + "/10");
  EXPECT_EQ(record::delivery_id(made[1]).to_text(), some_id().to_text() + "/11");
  EXPECT_EQ(made[0].envelope.recipients_size(), 2);
  EXPECT_EQ(made[0].envelope.recipients(1).address(), "c@x.test");
  EXPECT_EQ(made[0].envelope.recipients(1).index(), 12U);
  EXPECT_EQ(made[0].envelope.sender(), "a@acme.example");
  EXPECT_EQ(made[0].envelope.envid(), "envelope");
  EXPECT_EQ(made[0].head.domain(), "x.test");
  EXPECT_EQ(made[0].head.site(), "x.test");
  EXPECT_EQ(made[0].head.pool(), "default");
  EXPECT_EQ(made[0].head.tenant(), "acme");
  EXPECT_EQ(made[0].head.due_unix_ms(), 5'000);
  EXPECT_EQ(made[0].head.accepted_unix_ms(), 1'000);
  EXPECT_EQ(made[0].head.attempts(), 0U);
  EXPECT_TRUE(made[0].head.smtputf8());
  EXPECT_EQ(made[0].head.origin_protocol(), "ESMTPA");
  ASSERT_EQ(made[0].head.tags_size(), 1) << "commands ask for them";
  EXPECT_EQ(made[0].head.tags(0), "welcome");

  const auto outbound = of(appends, log::Topic::kOutbound);
  const LaneId lane{SiteName("x.test"), PoolName("default")};
  EXPECT_EQ(outbound[0].where.partition, lanes_.partition_of(lane, 0, 16));
  EXPECT_EQ(outbound[0].key, std::string("x.test\0default", 14));
}

TEST_F(PlanTest, EveryRecipientIsAcceptedAndRouted) {
  const record::Message message = message_to({"a@x.test", "b@y.test", "c@x.test"});
  const auto events = of(planned(message).value(), log::Topic::kEvents);
  std::map<std::string, std::set<std::string>> recipients;
  std::set<std::string> ids;
  for (const log::Append& append : events) {
    EXPECT_EQ(append.where.partition, some_id().hash() % 16);
    EXPECT_EQ(append.key, some_id().octets());
    const record::Event event = record::decode_event(append.value).value();
    ids.insert(record::event_id(event.head));
    recipients[v1::EventType_Name(event.head.type())].insert(event.addresses.recipient());
    EXPECT_EQ(event.head.node(), "n1");
    if (event.head.type() == v1::ACCEPTED) {
      EXPECT_EQ(event.head.time_unix_ms(), 1'000);
      EXPECT_EQ(event.head.size(), kBody.size());
      EXPECT_EQ(event.head.tags(0), "welcome");
      EXPECT_TRUE(event.head.site().empty());
    } else {
      EXPECT_EQ(event.head.time_unix_ms(), 1'500);
      EXPECT_EQ(event.head.queued_ms(), 500);
      EXPECT_EQ(event.head.pool(), "default");
      EXPECT_EQ(event.head.site(), event.addresses.recipient().substr(2));
      EXPECT_EQ(event.head.delivery_index(), event.addresses.recipient() == "b@y.test" ? 1U : 0U);
    }
  }
  EXPECT_EQ(ids.size(), 6U);
  EXPECT_THAT(recipients["ACCEPTED"], ElementsAre("a@x.test", "b@y.test", "c@x.test"));
  EXPECT_EQ(recipients["ROUTED"], recipients["ACCEPTED"]);
}

TEST_F(PlanTest, TheSameInputGivesTheSameOctets) {
  const record::Message message = message_to({"a@x.test", "b@y.test"});
  const auto first = planned(message).value();
  const auto second = planned(message).value();
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].where, second[i].where);
    EXPECT_EQ(first[i].value.to_string(), second[i].value.to_string());
  }
}

// Everything that a message can have; what the planner keeps of it must not show in the next.
record::Message rich_message() {
  record::Message message = message_to({"rich@x.test", "rich@y.test"}, 20);
  message.head.set_message_id("fedcba9876543210");
  message.head.set_tenant("rich");
  message.head.set_class_(v1::URGENT);
  message.head.set_due_unix_ms(5'000);
  message.head.set_smtputf8(true);
  message.head.set_body_8bitmime(true);
  message.head.add_tags("second");
  message.seal.set_key_id("key");
  message.envelope.set_ret(v1::Envelope::RET_FULL);
  message.envelope.mutable_recipients(0)->set_notify(v1::Recipient::NOTIFY_NEVER);
  message.envelope.mutable_recipients(1)->set_orcpt("rfc822;rich@y.test");
  message.content.set_dot_stuffed(true);
  message.content.set_has_8bit(true);
  return message;
}

TEST_F(PlanTest, NothingIsLeftOfTheMessageBefore) {
  record::Message plain = message_to({"a@x.test"});
  plain.head.clear_tags();
  plain.head.clear_origin();
  plain.head.clear_tenant();
  plain.envelope.clear_envid();
  plain.envelope.clear_sender();
  plain.data = {};
  plain.content.Clear();
  for (const bool by_position : {true, false}) {
    context_.by_position = by_position;
    for (const record::Message& message : {plain, rich_message(), plain}) {
      Planner fresh(context_);
      const auto expected = planned(message, fresh).value();
      const auto appends = planned(message).value();
      ASSERT_EQ(appends.size(), expected.size());
      for (std::size_t i = 0; i < appends.size(); ++i) {
        EXPECT_EQ(appends[i].where, expected[i].where);
        EXPECT_EQ(appends[i].key, expected[i].key);
        EXPECT_EQ(appends[i].refers_to, expected[i].refers_to);
        EXPECT_EQ(appends[i].value.to_string(), expected[i].value.to_string());
      }
    }
  }
}

TEST_F(PlanTest, WhatCannotBePlannedAddsNothing) {
  record::Message message = message_to({"a@x.test", "b@y.test"});
  message.envelope.mutable_recipients(1)->set_orcpt("\xff");
  std::vector<log::Append> appends = planned(message_to({"c@z.test"})).value();
  const std::size_t before = appends.size();
  const std::vector<DomainGroup> groups = grouped(message);
  const auto failed = planner_.plan({.message = message,
                                     .position = kPosition,
                                     .groups = groups,
                                     .pool = PoolName("default"),
                                     .lanes = lanes_,
                                     .now = from_unix_ms(1'500)},
                                    appends);
  EXPECT_EQ(failed.error().code, record::Errc::kNotUtf8);
  ASSERT_EQ(appends.size(), before);
  EXPECT_EQ(deliveries(appends)[0].envelope.recipients(0).address(), "c@z.test");
}

TEST_F(PlanTest, ContentIsReferredToWhereOneRecordCanBeRead) {
  const record::Message message = message_to({"a@x.test"});
  const auto appends = planned(message).value();
  const record::Delivery delivery = deliveries(appends)[0];
  EXPECT_EQ(delivery.where(), record::Delivery::Where::kPosition);
  EXPECT_EQ(delivery.content.position().topic(), static_cast<std::uint32_t>(log::Topic::kAccepted));
  EXPECT_EQ(delivery.content.position().partition(), 3U);
  EXPECT_EQ(delivery.content.position().offset(), 77);
  EXPECT_EQ(delivery.content.size(), kBody.size());
  EXPECT_EQ(delivery.content.crc32c(), 7U);
  EXPECT_EQ(of(appends, log::Topic::kOutbound)[0].refers_to, kPosition);
  for (const log::Append& event : of(appends, log::Topic::kEvents)) EXPECT_FALSE(event.refers_to);
}

TEST_F(PlanTest, ContentIsCarriedWhereItIsNot) {
  context_.by_position = false;
  const auto appends = planned(message_to({"a@x.test", "b@y.test"})).value();
  for (const record::Delivery& delivery : deliveries(appends)) {
    EXPECT_EQ(delivery.where(), record::Delivery::Where::kInline);
    EXPECT_EQ(delivery.data.to_string(), kBody);
  }
  for (const log::Append& append : appends) EXPECT_FALSE(append.refers_to);
}

TEST_F(PlanTest, AReferenceToBodiesIsPassedOn) {
  record::Message message = message_to({"a@x.test"});
  message.data = {};
  message.content.mutable_body()->set_partition(5);
  message.content.mutable_body()->set_first_offset(9);
  message.content.mutable_body()->set_chunks(2);
  const auto appends = planned(message).value();
  EXPECT_EQ(deliveries(appends)[0].content.body().chunks(), 2U);
  EXPECT_EQ(of(appends, log::Topic::kOutbound)[0].refers_to,
            (log::RecordPosition{{log::Topic::kBodies, 5}, 9}));
  context_.by_position = false;
  EXPECT_FALSE(of(planned(message).value(), log::Topic::kOutbound)[0].refers_to);
}

TEST_F(PlanTest, ContentNeedsABodyWhenDeliveriesTogetherCarryTooMuch) {
  const auto asked = [&](std::size_t bytes, const std::vector<std::string>& recipients) {
    record::Message message = message_to(recipients);
    message.data = Rope(Bytes::adopt(std::string(bytes, 'x')));
    return needs_body(message, group_by_domain(message.envelope), context_);
  };
  const std::vector<std::string> two{"a@x.test", "b@y.test"};
  const std::vector<std::string> many(kDeliveryRecipientsMax + 1, "a@x.test");  // two deliveries
  EXPECT_FALSE(asked(kCarriedBytesMax, two)) << "it is read by position";
  context_.by_position = false;
  EXPECT_FALSE(asked(kCarriedBytesMax / 2, two));
  EXPECT_TRUE(asked(kCarriedBytesMax / 2 + 1, two));
  EXPECT_TRUE(asked(kCarriedBytesMax / 2 + 1, many));
  EXPECT_FALSE(asked(kCarriedBytesMax * 2, {"a@x.test", "b@x.test"})) << "one delivery";
}

TEST_F(PlanTest, TheBodyIsTheContentAndTheReferenceSaysWhere) {
  context_.by_position = false;
  context_.body_partitions = 8;
  record::Message message = message_to({"a@x.test", "b@y.test"});
  const auto chunks = body_of(message, context_);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].where.topic, log::Topic::kBodies);
  EXPECT_EQ(chunks[0].key, message.head.message_id());
  EXPECT_EQ(chunks[0].value.to_string(), kBody);
  refer_to_body(message, std::vector<log::Offset>{77}, context_);
  for (const record::Delivery& delivery : deliveries(planned(message).value())) {
    EXPECT_EQ(delivery.content.body().partition(), chunks[0].where.partition);
    EXPECT_EQ(delivery.content.body().first_offset(), 77);
    EXPECT_TRUE(delivery.data.empty());
  }
}

TEST_F(PlanTest, UrgentMailStaysUrgent) {
  record::Message message = message_to({"a@x.test"});
  message.head.set_class_(v1::URGENT);
  const auto appends = planned(message).value();
  EXPECT_TRUE(of(appends, log::Topic::kOutbound).empty());
  EXPECT_EQ(deliveries(appends, log::Topic::kOutboundUrgent)[0].head.class_(), v1::URGENT);
}

TEST_F(PlanTest, ManyRecipientsAreSeveralDeliveriesWithIdsOfTheirOwn) {
  std::vector<std::string> recipients(kDeliveryRecipientsMax * 2 + 1, "a@x.test");
  const auto made = deliveries(planned(message_to(recipients)).value());
  ASSERT_EQ(made.size(), 3U);
  std::set<std::uint32_t> seen;
  for (const record::Delivery& delivery : made) {
    EXPECT_EQ(delivery.head.index(), delivery.envelope.recipients(0).index());
    for (const v1::Recipient& recipient : delivery.envelope.recipients())
      seen.insert(recipient.index());
  }
  EXPECT_EQ(seen.size(), recipients.size());
}

TEST_F(PlanTest, ADeliveryThatFitsNoRecordIsHalved) {
  context_.by_position = false;
  const std::string long_address = std::string(1'000, 'a') + "@x.test";
  record::Message message = message_to(std::vector<std::string>(300, long_address));
  message.data = Rope(Bytes::adopt(std::string(300 * 1024, 'x')));
  message.content.set_size(message.data.size());
  const auto appends = planned(message).value();
  std::set<std::uint32_t> seen;
  for (const log::Append& append : of(appends, log::Topic::kOutbound)) {
    EXPECT_LE(append.key.size() + append.value.size(), log::kRecordBytesMax);
    for (const auto& recipient : record::decode_delivery(append.value)->envelope.recipients()) {
      EXPECT_TRUE(seen.insert(recipient.index()).second);
    }
  }
  EXPECT_EQ(seen.size(), 300U);
  EXPECT_GE(deliveries(appends).size(), 2U);

  message = message_to({"a@x.test"});
  message.data = Rope(Bytes::adopt(std::string(log::kRecordBytesMax, 'x')));
  message.content.set_size(message.data.size());
  EXPECT_EQ(planned(message).error().code, log::Errc::kTooLarge);
}

}  // namespace
}  // namespace godwit::router
