#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/audit/audit.h"
#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace godwit::audit {

inline constexpr log::PartitionId kPartitions = 2;

inline Rope encoded(const auto& value) {
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
class AuditTest : public testing::Test {
 protected:
  using Topic = log::Topic;

  AuditTest() {
    router_group_ = join("router", Topic::kAccepted, {Topic::kAcceptedUrgent}, {}, router_);
    sender_group_ =
        join("sender", Topic::kOutbound, {Topic::kOutboundUrgent}, {Topic::kRetries}, sender_);
  }
  ~AuditTest() override {
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
    event.head.set_type(type);
    event.head.set_message_id(std::string(id(number).octets()));
    event.head.set_index(index);
    event.head.set_attempt(attempt);
    event.head.set_node(node);
    event.head.set_time_unix_ms(to_unix_ms(clock_.now()));
    event.head.set_late(late_);
    return append_to(Topic::kEvents, number, encoded(event));
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

}  // namespace godwit::audit
