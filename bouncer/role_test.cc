#include "bouncer/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "common/base/test_directory.h"
#include "common/base/test_eventually.h"
#include "common/poison/fake_death.h"
#include "common/record/records.h"
#include "common/report/return_address.h"
#include "common/role/test_process.h"

namespace godwit::bouncer {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

// The role on real shards and a log in memory.
class BouncerTest : public testing::Test, protected role::TestProcess {
 protected:
  static constexpr log::PartitionId kPartitions = 2;

  BouncerTest() : TestProcess(kPartitions) {}
  ~BouncerTest() override { log.release(); }

  void start() {
    role_ = make_bouncer(context(), {.domain = "bounces.example", .always = true, .keys = keys_});
    ASSERT_TRUE(role_->start());
  }

  void append(log::TopicPartition where, Rope value) {
    std::vector<log::Append> records;
    records.push_back(
        {.where = where, .key = "k", .value = std::move(value), .refers_to = std::nullopt});
    log.producer()->append(std::move(records), [](const auto& written) { ASSERT_TRUE(written); });
  }
  // A report as ingress writes it: a qmail bounce to a return address.
  void report(log::PartitionId partition = 0) {
    record::Message message;
    const MessageId id = MessageId::generate(system_clock(), system_random());
    message.head.set_message_id(std::string(id.octets()));
    message.head.set_tenant("default");
    message.envelope.add_recipients()->set_address(
        keys_->encode({.message = about_, .index = 3, .tenant_tag = 0}, "bounces.example"));
    message.data = Rope(Bytes::of_static(
        "From: MAILER-DAEMON@h.example\r\nSubject: failure notice\r\n\r\n<a@b.example>:\r\n"
        "550 5.1.1 no such user\r\n"));
    message.content.set_size(message.data.size());
    message.content.set_dot_stuffed(true);
    append({log::Topic::kReports, partition}, record::encode(message).value());
  }
  // An event of somebody who wants to know, or not.
  void event(bool wanted, log::PartitionId partition = 0) {
    record::Event event;
    event.head.set_type(v1::BOUNCED);
    event.head.set_time_unix_ms(1'763'838'644'123);
    event.head.set_message_id(std::string(about_.octets()));
    event.head.set_index(next_);
    event.head.set_delivery_index(next_++);
    event.head.set_attempt(1);
    event.addresses.set_sender("s@acme.example");
    event.addresses.set_recipient("a@b.example");
    if (wanted) event.head.mutable_notice()->set_data(v1::Notice().SerializeAsString());
    append({log::Topic::kEvents, partition}, record::encode(event).value());
  }
  [[nodiscard]] std::vector<record::Event> late() const {
    std::vector<record::Event> found;
    for (const log::Record& record : log.records(log::Topic::kEvents)) {
      auto event = record::decode_event(record.value);
      if (event && event->head.late()) found.push_back(*std::move(event));
    }
    return found;
  }
  [[nodiscard]] std::size_t told() const { return log.records(log::Topic::kAccepted).size(); }
  [[nodiscard]] log::Offset committed(log::Topic topic) {
    log::Offset sum = 0;
    for (log::PartitionId p = 0; p < kPartitions; ++p)
      sum += log.committed("bouncer", {topic, p}).value();
    return sum;
  }
  // Rows of a table that nobody owns by partition are one table.
  [[nodiscard]] std::size_t dead() const { return log.rows({log::Topic::kDead, 0}).size(); }

  const MessageId about_ = *MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e");
  std::uint32_t next_ = 0;
  const std::shared_ptr<const report::ReturnKeys> keys_ = std::make_shared<report::ReturnKeys>(
      std::vector<report::ReturnKey>{{1, std::string(32, 'k')}});
  TestDirectory directory_;
  std::unique_ptr<role::Role> role_;
};

TEST_F(BouncerTest, ReportsBecomeLateBounces) {
  start();
  EXPECT_EQ(role_->problem(), "");
  for (log::PartitionId p = 0; p < kPartitions; ++p) report(p);
  EXPECT_TRUE(eventually([&] { return committed(log::Topic::kReports) == kPartitions; }));
  ASSERT_THAT(late(), SizeIs(kPartitions));
  EXPECT_EQ(late()[0].head.index(), 3U);
  EXPECT_EQ(late()[0].head.class_(), "bad-mailbox");
  EXPECT_EQ(told(), 0U);
}

TEST_F(BouncerTest, OnlyEventsWithANoticeAreTold) {
  for (int i = 0; i < 3; ++i) event(false);
  event(true);
  event(false);
  start();
  EXPECT_TRUE(eventually([&] { return told() == 1; }));
  // Positions alone are committed too, if later.
  EXPECT_TRUE(eventually([&] { return committed(log::Topic::kEvents) == 5; }));
  EXPECT_EQ(told(), 1U);
  EXPECT_EQ(dead(), 0U);
}

TEST_F(BouncerTest, ACommitThatFailedIsRepeatedOnce) {
  event(true);
  report();
  log.fail_next(log::Errc::kNoSpace);
  start();
  EXPECT_TRUE(eventually([&] { return told() == 1 && late().size() == 1; }));
  EXPECT_TRUE(eventually([&] { return role_->problem().empty(); }));
}

TEST_F(BouncerTest, AStartAgainDoublesNothing) {
  start();
  event(true);
  report();
  EXPECT_TRUE(eventually([&] { return committed(log::Topic::kReports) == 1 && told() == 1; }));
  role_->drain(std::chrono::steady_clock::now() + 60s);
  role_.reset();
  start();
  event(true);
  EXPECT_TRUE(eventually([&] { return told() == 2; }));
  EXPECT_THAT(late(), SizeIs(1));
}

TEST_F(BouncerTest, WhatCannotBeReadIsDeadAndTheRestGoesOn) {
  append({log::Topic::kReports, 0}, Rope(Bytes::of_static("no record")));
  record::Event broken;
  broken.head.set_message_id(std::string(about_.octets()));
  broken.head.mutable_notice()->set_data("\xff\xff");
  append({log::Topic::kEvents, 0}, record::encode(broken).value());
  report();
  event(true);
  start();
  EXPECT_TRUE(eventually([&] { return late().size() == 1 && told() == 1 && dead() == 2; }));
  EXPECT_EQ(role_->problem(), "");
}

TEST_F(BouncerTest, ARecordThatKilledThreeTimesIsDead) {
  report();
  const std::filesystem::path file = directory_ / "poison";
  poison::fake_deaths(file, {{{{log::Topic::kReports, 0}, 0}, poison::Step::kDecode}});
  poison = std::make_unique<poison::Slots>(file, 2);
  start();
  EXPECT_TRUE(eventually([&] { return dead() == 1; }));
  EXPECT_THAT(late(), IsEmpty());
}

TEST_F(BouncerTest, ARecordWithoutItsOctetsIsPassed) {
  report();
  report();
  log.corrupt({{log::Topic::kReports, 0}, 0});
  start();
  EXPECT_TRUE(eventually([&] { return late().size() == 1; }));
  EXPECT_TRUE(eventually([&] { return role_->problem().empty(); }));
}

}  // namespace
}  // namespace godwit::bouncer
