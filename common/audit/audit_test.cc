#include "common/audit/audit.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "common/audit/errc.h"
#include "common/base/manual_clock.h"
#include "common/base/random.h"
#include "common/log/fake_log.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace godwit::audit {
namespace {

using log::Topic;

constexpr log::PartitionId kPartitions = 2;

Rope encoded(const auto& value) {
  auto rope = record::encode(value);
  EXPECT_TRUE(rope);
  return *std::move(rope);
}

// Keeps what a group owns, so that a test can commit as router or sender.
class Owner final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> partition) override {
    owned[partition->partition()] = std::move(partition);
  }
  void revoked(log::PartitionId, std::move_only_function<void()> released) override { released(); }
  void lost(log::PartitionId) override {}
  std::map<log::PartitionId, std::shared_ptr<log::Ownership>> owned;
};

// Mail going through a log, one step of a role at a time. Message n lives in partition n % 2.
class Audit : public testing::Test {
 protected:
  Audit() {
    router_group_ = join("router", Topic::kAccepted, {Topic::kAcceptedUrgent}, {}, router_);
    sender_group_ =
        join("sender", Topic::kOutbound, {Topic::kOutboundUrgent}, {Topic::kRetries}, sender_);
  }
  ~Audit() override {
    router_group_->stop(std::chrono::seconds(1));
    sender_group_->stop(std::chrono::seconds(1));
  }

  std::unique_ptr<log::Group> join(const char* name, Topic subscribed, std::vector<Topic> followed,
                                   std::vector<Topic> tables, const std::shared_ptr<Owner>& owner) {
    auto group = log_.join({.name = name,
                            .subscribed = subscribed,
                            .followed = std::move(followed),
                            .tables = std::move(tables)},
                           owner);
    EXPECT_TRUE(group);
    return *std::move(group);
  }

  static MessageId id(int number) {
    std::string octets(16, '\0');
    octets[0] = static_cast<char>(number);
    return *MessageId::from_octets(octets);
  }
  static log::PartitionId partition(int number) {
    return static_cast<log::PartitionId>(number) % kPartitions;
  }

  static record::Message message(int number, std::uint32_t recipients) {
    record::Message message;
    message.head.set_message_id(std::string(id(number).octets()));
    message.head.set_total(recipients);
    add_recipients(message.envelope, 0, recipients);
    message.data = Rope(Bytes::of_static("Subject: x\r\n\r\ny\r\n"));
    message.content.set_size(message.data.size());
    return message;
  }
  static record::Delivery delivery(int number, std::uint32_t first, std::uint32_t count) {
    record::Delivery delivery;
    delivery.head.set_message_id(std::string(id(number).octets()));
    delivery.head.set_index(first);
    add_recipients(delivery.envelope, first, count);
    return delivery;
  }
  static void add_recipients(v1::Envelope& envelope, std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i) {
      auto& recipient = *envelope.add_recipients();
      recipient.set_index(i);
      recipient.set_address("r" + std::to_string(i) + "@example.net");
    }
  }

  static log::Append append_to(Topic topic, int number, Rope value) {
    return {.where = {topic, partition(number)},
            .key = id(number).to_text(),
            .value = std::move(value)};
  }
  log::Append event(int number, std::uint32_t index, v1::EventType type, std::uint32_t attempt = 1,
                    const std::string& node = "a") {
    record::Event event;
    event.head.set_id(record_id(number, index, type, attempt));
    event.head.set_type(type);
    event.head.set_message_id(std::string(id(number).octets()));
    event.head.set_index(index);
    event.head.set_attempt(attempt);
    event.head.set_node(node);
    event.head.set_time_unix_ms(to_unix_ms(clock_.now()));
    event.head.set_late(late_);
    return append_to(Topic::kEvents, number, encoded(event));
  }
  static std::string record_id(int number, std::uint32_t index, v1::EventType type,
                               std::uint32_t attempt) {
    return id(number).to_text() + "/" + std::to_string(index) + "/" + std::to_string(type) + "/" +
           std::to_string(attempt);
  }

  void write(log::Append append) {
    std::vector<log::Append> records;
    records.push_back(std::move(append));
    bool written = false;
    log_.producer()->append(std::move(records),
                            [&](Result<log::Written> done) { written = done.has_value(); });
    ASSERT_TRUE(written);
  }
  void accept(int number, std::uint32_t recipients, Topic topic = Topic::kAccepted) {
    write(append_to(topic, number, encoded(message(number, recipients))));
  }
  static void commit(const std::shared_ptr<Owner>& owner, log::PartitionId partition,
                     log::Batch batch) {
    bool written = false;
    owner->owned.at(partition)->commit(
        std::move(batch), [&](Result<log::Written> done) { written = done.has_value(); });
    ASSERT_TRUE(written);
  }
  // The router's step: everything accepted so far in the message's partition is finished.
  void route(int number, std::vector<log::Append> appends, Topic topic = Topic::kAccepted) {
    log::Batch batch;
    batch.appends = std::move(appends);
    const log::TopicPartition where{topic, partition(number)};
    batch.positions.push_back({where, log_.end(where)});
    commit(router_, partition(number), std::move(batch));
  }
  void route_out(int number, std::uint32_t recipients) {
    std::vector<log::Append> appends;
    appends.push_back(
        append_to(Topic::kOutbound, number, encoded(delivery(number, 0, recipients))));
    route(number, std::move(appends));
  }
  // The sender's step: everything outbound so far in the partition is finished.
  void finish(int number, std::vector<log::Append> events,
              std::vector<log::TableChange> changes = {}) {
    log::Batch batch;
    batch.appends = std::move(events);
    batch.changes = std::move(changes);
    const log::TopicPartition where{Topic::kOutbound, partition(number)};
    batch.positions.push_back({where, log_.end(where)});
    commit(sender_, partition(number), std::move(batch));
  }
  template <class... Appends>
  static std::vector<log::Append> list(Appends... appends) {
    std::vector<log::Append> list;
    (list.push_back(std::move(appends)), ...);
    return list;
  }
  static log::TableChange park(int number, std::uint32_t first, std::uint32_t count) {
    return {.where = {Topic::kRetries, partition(number)},
            .key = record::delivery_key({id(number), first}),
            .value = encoded(delivery(number, first, count))};
  }
  void bury(int number, Topic topic, Rope value, std::string key = {}) {
    record::Dead dead;
    dead.head.set_topic(static_cast<std::uint32_t>(topic));
    dead.head.set_key(std::move(key));
    dead.value = std::move(value);
    auto table = log_.shared_table(Topic::kDead);
    ASSERT_TRUE(table);
    std::vector<log::TableChange> changes;
    changes.push_back({.where = {Topic::kDead, 0},
                       .key = record::dead_key("x", 0, number),
                       .value = record::encode(dead)});
    (*table)->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }

  Report audited(AuditOptions options = {}) {
    const auto report = audit(log_, options);
    EXPECT_TRUE(report) << report.error().to_string();
    return report.value_or(Report{});
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, kPartitions};
  std::shared_ptr<Owner> router_ = std::make_shared<Owner>();
  std::shared_ptr<Owner> sender_ = std::make_shared<Owner>();
  std::unique_ptr<log::Group> router_group_;
  std::unique_ptr<log::Group> sender_group_;
  bool late_ = false;
  bool outbound_read_ = false;
};

TEST_F(Audit, EmptyLogIsClean) {
  const Report report = audited();
  EXPECT_EQ(report.accepted, 0u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, FollowsRecipientsThroughEveryStage) {
  accept(0, 2);
  EXPECT_EQ(audited().pending_unrouted, 2u);
  route_out(0, 2);
  EXPECT_EQ(audited().pending_outbound, 2u);
  std::vector<log::TableChange> changes;
  changes.push_back(park(0, 1, 1));
  finish(0, list(event(0, 0, v1::DELIVERED), event(0, 1, v1::DEFERRED)), std::move(changes));

  const Report report = audited();
  EXPECT_EQ(report.accepted, 2u);
  EXPECT_EQ(report.delivered, 1u);
  EXPECT_EQ(report.pending_parked, 1u);
  EXPECT_EQ(report.outside, 0u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, WhoWaitsForAnOperatorIsHeld) {
  accept(0, 3);
  route_out(0, 3);
  record::Delivery parked = delivery(0, 0, 3);
  parked.envelope.mutable_recipients(1)->set_held(1);
  std::vector<log::TableChange> changes;
  changes.push_back({.where = {Topic::kRetries, partition(0)},
                     .key = record::delivery_key({id(0), 0}),
                     .value = encoded(parked)});
  finish(0, {}, std::move(changes));
  EXPECT_EQ(audited().held, 1u);
  EXPECT_EQ(audited().pending_parked, 2u);
  // The operator's decision on its way says nothing else.
  parked.head.set_version(record::kDecisionVersion);
  parked.head.mutable_decision()->set_what(v1::Decision::RETRY);
  parked.envelope.mutable_recipients()->DeleteSubrange(2, 1);
  parked.envelope.mutable_recipients()->DeleteSubrange(0, 1);
  route(0, list(append_to(Topic::kOutbound, 0, encoded(parked))));
  const Report report = audited();
  EXPECT_EQ(report.held, 1u);
  EXPECT_EQ(report.pending_outbound, 0u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, UrgentMailCountsToo) {
  accept(0, 1, Topic::kAcceptedUrgent);
  accept(1, 1, Topic::kAcceptedUrgent);
  route(1, list(append_to(Topic::kOutboundUrgent, 1, encoded(delivery(1, 0, 1)))),
        Topic::kAcceptedUrgent);
  const Report report = audited();
  EXPECT_EQ(report.pending_unrouted, 1u);
  EXPECT_EQ(report.pending_outbound, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, ARoutedRecipientThatNobodyHasIsMissing) {
  accept(0, 2);
  route(0, list(append_to(Topic::kOutbound, 0,
                          encoded(delivery(0, 0, 1)))));  // recipient 1 is forgotten
  const Report report = audited();
  EXPECT_EQ(report.pending_outbound, 1u);
  ASSERT_EQ(report.missing, 1u);
  EXPECT_EQ(report.exceptions.front().recipient, (RecipientId{id(0), 1}));
}

TEST_F(Audit, AFinishedRecipientWithoutItsEventIsMissing) {
  accept(0, 1);
  accept(1, 1);
  route_out(0, 1);
  route_out(1, 1);
  finish(0, list(event(0, 0, v1::DELIVERED)));
  finish(1, {});
  const Report report = audited();
  EXPECT_EQ(report.delivered, 1u);
  ASSERT_EQ(report.missing, 1u);
  EXPECT_EQ(report.exceptions.front().recipient.message, id(1));
}

TEST_F(Audit, FinishedBeyondThePositionIsNotPending) {
  for (int number : {0, 2, 4}) {
    accept(number, 1);
    route_out(number, 1);
  }
  // The second of three is finished, the position stays in front of the first.
  v1::FinishedPositions positions;
  auto& topic = *positions.add_topics();
  topic.set_topic(static_cast<std::uint32_t>(Topic::kOutbound));
  topic.add_run_first(1);
  topic.add_run_length(1);
  log::Batch batch;
  batch.changes.push_back({.where = {Topic::kRetries, 0},
                           .key = std::string(record::kPositionKey),
                           .value = record::encode(positions)});
  commit(sender_, 0, std::move(batch));

  Report report = audited();
  EXPECT_EQ(report.pending_outbound, 2u);
  ASSERT_EQ(report.missing, 1u);  // no event came with it
  EXPECT_EQ(report.exceptions.front().recipient.message, id(2));

  write(event(2, 0, v1::BOUNCED));
  report = audited();
  EXPECT_EQ(report.bounced, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, TwoAttemptsThatEndedAreDoubled) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::DELIVERED, 1), event(0, 0, v1::DELIVERED, 2)));
  const Report report = audited();
  EXPECT_EQ(report.doubled, 1u);
  EXPECT_EQ(report.delivered, 0u);
}

TEST_F(Audit, TwoNodesThatEndedItAreDoubled) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::DELIVERED, 1, "a"), event(0, 0, v1::DELIVERED, 1, "b")));
  EXPECT_EQ(audited().doubled, 1u);
}

TEST_F(Audit, OneAttemptMadeTwiceIsDoubledThoughItsIdIsTheSame) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::DELIVERED)));
  clock_.advance(std::chrono::seconds(3));  // the node came back and did not know of the first
  write(event(0, 0, v1::DELIVERED));
  EXPECT_EQ(audited().doubled, 1u);
}

TEST_F(Audit, TheSameEventWrittenAgainCountsOnce) {
  accept(0, 1);
  route_out(0, 1);
  const log::Append once = event(0, 0, v1::DELIVERED);
  finish(0, list(once, once));
  const Report report = audited();
  EXPECT_EQ(report.delivered, 1u);
  EXPECT_EQ(report.repeated_records, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, ALateBounceEndsNothing) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::DELIVERED)));
  late_ = true;
  write(event(0, 0, v1::BOUNCED, 0));
  const Report report = audited();
  EXPECT_EQ(report.delivered, 1u);
  EXPECT_EQ(report.bounced, 0u);
  EXPECT_EQ(report.late_bounces, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, EventsThatEndNothingDoNotCount) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::ACCEPTED, 0), event(0, 0, v1::ROUTED, 0),
                 event(0, 0, v1::DEFERRED), event(0, 0, v1::OPENED, 0)));
  EXPECT_EQ(audited().missing, 1u);
}

TEST_F(Audit, DeadRecordsHold) {
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

TEST_F(Audit, DeadRecordsThatCannotBeDecodedHoldWhomTheirHeadNames) {
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

TEST_F(Audit, LaterPartsOfADeadRecordAreNotReadForThemselves) {
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
TEST_F(Audit, ADeadRecordInPartsIsReadWhole) {
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
TEST_F(Audit, WhatKilledItsReaderIsHeldAndNotDecoded) {
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
TEST_F(Audit, WhatKilledTheRouterIsNotDecodedInItsTopicEither) {
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
TEST_F(Audit, NoRecordEndsIt) {
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

TEST_F(Audit, AnOutboundRecordThatCannotBeDecodedHolds) {
  accept(0, 1);
  auto tomorrow = delivery(0, 0, 1);
  tomorrow.head.set_version(99);
  route(0, list(append_to(Topic::kOutbound, 0, encoded(tomorrow))));
  const Report report = audited();
  EXPECT_EQ(report.held, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, AParkedRowThatCannotBeReadHoldsItsMessage) {
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

TEST_F(Audit, WhatIsOlderThanRetentionIsOutside) {
  accept(0, 1);
  route_out(0, 1);
  finish(0, list(event(0, 0, v1::DELIVERED)));
  log_.trim({Topic::kAccepted, 0}, 1);
  const Report report = audited();
  EXPECT_EQ(report.accepted, 0u);
  EXPECT_EQ(report.outside, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, ALiveAuditReadsAgainBeforeItReports) {
  accept(0, 1);
  route_out(0, 1);
  std::vector<log::TableChange> changes;
  changes.push_back(park(0, 0, 1));
  finish(0, {}, std::move(changes));

  // A transfer against the order of reading: back into outbound when that was read, out of retries before it is.
  bool moved = false;
  AuditOptions options;
  options.live = true;
  options.progress = [&](std::string_view stage, std::uint64_t) {
    if (stage == "outbound" || stage != "retries" || moved || !outbound_read_) {
      outbound_read_ = outbound_read_ || stage == "outbound";
      return true;
    }
    moved = true;
    log::Batch batch;
    batch.appends = list(append_to(Topic::kOutbound, 0, encoded(delivery(0, 0, 1))));
    batch.changes.push_back({.where = {Topic::kRetries, 0},
                             .key = record::delivery_key({id(0), 0}),
                             .value = std::nullopt});
    commit(sender_, 0, std::move(batch));
    return true;
  };
  const Report report = audited(options);
  EXPECT_TRUE(moved);
  EXPECT_EQ(report.passes, 2u);
  EXPECT_EQ(report.pending_outbound, 1u);
  EXPECT_TRUE(report.clean());
}

TEST_F(Audit, ALiveAuditReportsWhatStaysMissing) {
  accept(0, 1);
  route(0, {});
  const Report report = audited({.live = true});
  EXPECT_EQ(report.passes, 3u);
  EXPECT_EQ(report.missing, 1u);
}

TEST_F(Audit, CanBeCancelled) {
  accept(0, 1);
  AuditOptions options;
  options.progress = [](std::string_view, std::uint64_t) { return false; };
  const auto report = audit(log_, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::kCancelled);
}

TEST_F(Audit, ALogThatCannotBeReadIsAnError) {
  accept(0, 1);
  log_.close();
  const auto report = audit(log_, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, log::Errc::kClosed);
}

}  // namespace
}  // namespace godwit::audit
