#include "common/audit/audit.h"

#include <gtest/gtest.h>

#include "common/audit/test_mail_flow.h"
#include "common/base/random.h"

namespace godwit::audit {
namespace {

// Records that nobody can read, or that were put aside into `dead`.
class AuditOfTheUnreadable : public AuditTest {};

TEST_F(AuditOfTheUnreadable, DeadRecordsHold) {
  for (int number = 0; number < 5; ++number) accept(number, 1);
  for (int number = 0; number < 5; ++number) route(number, {});
  bury(0, Topic::kAccepted, encoded(message(0, 1)));
  bury(1, Topic::kOutbound, encoded(delivery(1, 0, 1)));
  bury(2, Topic::kOutbound, Rope(Bytes::of_static("\xff\xff")), id(2).to_text());
  bury(3, Topic::kRetries, Rope(Bytes::of_static("\xff\xff")), record::delivery_key({id(3), 0}));
  bury(4, Topic::kEvents, Rope(Bytes::of_static("\xff\xff")));  // nobody's mail
  const Report report = audited();
  EXPECT_EQ(report.held, 4u);
  EXPECT_EQ(report.unreadable_records, 2u);
  ASSERT_EQ(report.missing, 1u);
  EXPECT_EQ(report.exceptions.front().recipient.message, id(4));
}

TEST_F(AuditOfTheUnreadable, DeadRecordsThatCannotBeDecodedHoldWhomTheirHeadNames) {
  for (int number = 0; number < 2; ++number) accept(number, 2);
  for (int number = 0; number < 2; ++number) route(number, {});
  // Of a version of tomorrow; and the first part of a record that took several rows.
  auto tomorrow = delivery(0, 0, 1);
  tomorrow.head.set_version(99);
  bury(0, Topic::kOutbound, encoded(tomorrow));
  const Rope whole = encoded(message(1, 2));
  bury(1, Topic::kAccepted, whole.slice(0, whole.size() - 5));
  const Report report = audited();
  EXPECT_EQ(report.held, 3u);
  EXPECT_EQ(report.unreadable_records, 2u);
  ASSERT_EQ(report.missing, 1u);
  EXPECT_EQ(report.exceptions.front().recipient, (RecipientId{id(0), 1}));
}

TEST_F(AuditOfTheUnreadable, LaterPartsOfADeadRecordAreNotReadForThemselves) {
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(Topic::kOutbound));
  dead.value = encoded(delivery(7, 0, 1));
  auto table = log_.shared_table(Topic::kDead);
  ASSERT_TRUE(table);
  std::vector<log::TableChange> changes;
  changes.push_back(
      {{Topic::kDead, 0}, record::dead_key("outbound", 0, 9, 1), record::encode(dead)});
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  EXPECT_EQ(audited().outside, 0u);
}

// A delivery with its content, cut where a row ends: read whole, nothing of it counts as unreadable.
TEST_F(AuditOfTheUnreadable, ADeadRecordInPartsIsReadWhole) {
  accept(0, 2);
  route(0, list(append_to(Topic::kOutbound, 0, encoded(delivery(0, 0, 2)))));
  finish(0, {});
  auto whole = delivery(0, 0, 2);
  whole.content.Clear();
  whole.content.set_size(5000);
  whole.data = Rope(Bytes::adopt(std::string(5000, 'x')));
  const Rope value = encoded(whole);
  std::vector<log::TableChange> changes;
  for (std::uint32_t part = 0; part < 2; ++part) {
    record::Dead dead;
    dead.head.set_topic(static_cast<std::uint32_t>(Topic::kOutbound));
    dead.head.set_part(part);
    dead.head.set_parts(2);
    dead.value = value.slice(part * 3000, 3000);
    changes.push_back(
        {{Topic::kDead, 0}, record::dead_key("outbound", 0, 0, part), record::encode(dead)});
  }
  auto table = log_.shared_table(Topic::kDead);
  ASSERT_TRUE(table);
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  const Report report = audited();
  EXPECT_EQ(report.held, 2u);
  EXPECT_EQ(report.unreadable_records, 0u);
}

// With octets that no decoder takes: were it decoded, it would count as unreadable.
TEST_F(AuditOfTheUnreadable, WhatKilledItsReaderIsHeldAndNotDecoded) {
  accept(0, 2);
  route(0, list(append_to(Topic::kOutbound, 0, encoded(delivery(0, 0, 2)))));
  finish(0, {});
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(Topic::kOutbound));
  dead.head.set_crashes(3);
  dead.value = encoded(delivery(0, 0, 2));
  dead.value.append(Bytes::of_static("\xff\xff\xff"));
  auto table = log_.shared_table(Topic::kDead);
  ASSERT_TRUE(table);
  std::vector<log::TableChange> changes;
  changes.push_back({{Topic::kDead, 0}, record::dead_key("outbound", 0, 0), record::encode(dead)});
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  const Report report = audited();
  EXPECT_EQ(report.held, 2u);
  EXPECT_EQ(report.unreadable_records, 0u);
}

// It is still in `accepted`, where the audit finds it as well: with octets that no decoder takes, as above.
TEST_F(AuditOfTheUnreadable, WhatKilledTheRouterIsNotDecodedInItsTopicEither) {
  Rope killer = encoded(message(0, 2));
  killer.append(Bytes::of_static("\xff\xff\xff"));
  write(append_to(Topic::kAccepted, 0, killer));
  accept(1, 1);
  EXPECT_EQ(audited().unreadable_records, 1u) << "before it has killed often enough";
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(Topic::kAccepted));
  dead.head.set_partition(partition(0));
  dead.head.set_crashes(3);
  dead.value = killer;
  auto table = log_.shared_table(Topic::kDead);
  ASSERT_TRUE(table);
  std::vector<log::TableChange> changes;
  changes.push_back({{Topic::kDead, 0}, record::dead_key("accepted", 0, 0), record::encode(dead)});
  (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  const Report report = audited();
  EXPECT_EQ(report.accepted, 3u);
  EXPECT_EQ(report.held, 2u);
  EXPECT_EQ(report.pending_unrouted, 1u);
  EXPECT_EQ(report.unreadable_records, 0u);
  EXPECT_TRUE(report.clean());
}

// Records of every topic it reads, damaged: it says so, and goes on with what is behind them.
TEST_F(AuditOfTheUnreadable, NoRecordEndsIt) {
  const std::vector<std::pair<Topic, Rope>> whole = {
      {Topic::kAccepted, encoded(message(0, 2))},
      {Topic::kOutbound, encoded(delivery(0, 0, 2))},
      {Topic::kEvents, event(0, 0, v1::DELIVERED).value}};
  for (const std::string& octets : {std::string(), std::string("\xff\xff\xff\xff"),
                                    std::string(5000, '\x0b'), std::string("\x08\x63")}) {
    for (const auto& [topic, value] : whole)
      write(append_to(topic, 0, Rope(Bytes::copy_of(octets))));
  }
  EXPECT_EQ(audited().unreadable_records, 12u);
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    for (const auto& [topic, value] : whole) {
      std::string damaged = value.to_string();
      for (int i = 0; i < 3; ++i) {
        damaged[random.below(damaged.size())] = static_cast<char>(random.next());
      }
      write(append_to(topic, 0,
                      Rope(Bytes::copy_of(damaged.substr(0, random.below(damaged.size() + 1))))));
    }
  }
  accept(1, 3);
  const Report report = audited();
  EXPECT_GT(report.unreadable_records, 300u);
  EXPECT_GE(report.pending_unrouted, 3u) << "what is behind them";
}

TEST_F(AuditOfTheUnreadable, AnOutboundRecordThatCannotBeDecodedHolds) {
  accept(0, 1);
  auto tomorrow = delivery(0, 0, 1);
  tomorrow.head.set_version(99);
  route(0, list(append_to(Topic::kOutbound, 0, encoded(tomorrow))));
  const Report report = audited();
  EXPECT_EQ(report.held, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(AuditOfTheUnreadable, AParkedRowThatCannotBeReadHoldsItsMessage) {
  accept(0, 2);
  route_out(0, 2);
  std::vector<log::TableChange> changes;
  changes.push_back(park(0, 0, 2));
  changes.front().value = Rope(Bytes::of_static("\xff\xff"));
  finish(0, {}, std::move(changes));
  const Report report = audited();
  EXPECT_EQ(report.held, 2u);
  EXPECT_EQ(report.unreadable_records, 1u);
  EXPECT_TRUE(report.clean());
}

}  // namespace
}  // namespace godwit::audit
