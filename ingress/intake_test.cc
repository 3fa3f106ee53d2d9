#include "ingress/intake.h"

#include <gtest/gtest.h>

#include "common/base/manual_clock.h"
#include "common/log/by_message.h"
#include "common/record/records.h"

namespace godwit::ingress {
namespace {

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() {
    SeededRandom random(1);
    intake.id = MessageId::generate(clock, random);
    intake.time = clock.now();
    intake.tenant = TenantName("acme");
    intake.envelope.sender = *smtp::Address::parse("a@b.example");
  }
  void add_recipients(std::size_t count, std::size_t orcpt_bytes = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      intake.envelope.recipients.push_back(
          {.address = *smtp::Address::parse("r" + std::to_string(i) + "@example.org"),
           .parameters = {.orcpt =
                              orcpt_bytes == 0 ? "" : "rfc822;" + std::string(orcpt_bytes, 'x')}});
    }
  }
  static log::PartitionId four(log::Topic) { return 4; }

  ManualClock clock;
  Intake intake;
};

TEST_F(IntakeTest, InlineUpToTheRecordsLimit) {
  add_recipients(1);
  bool inlined = true;
  // The boundary lies between these; on both sides every record fits.
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{500 * 1024}, log::kRecordBytesMax - 8 * 1024 - 60,
        log::kRecordBytesMax - 8 * 1024, log::kRecordBytesMax, 3 * log::kRecordBytesMax}) {
    intake.content = Bytes::adopt(std::string(size, 'x'));
    const IntakeRecords records(intake, four);
    EXPECT_TRUE(inlined || records.needs_body()) << size;
    inlined = !records.needs_body();
    std::size_t total = 0;
    for (const log::Append& chunk : records.body()) {
      EXPECT_LE(chunk.key.size() + chunk.value.size(), log::kRecordBytesMax);
      EXPECT_EQ(chunk.where,
                (log::TopicPartition{log::Topic::kBodies, log::partition_of(intake.id, 4)}));
      total += chunk.value.size();
    }
    EXPECT_EQ(total, inlined ? 0 : size);
    std::vector<log::Offset> offsets;
    for (log::Offset offset = 7; offsets.size() < records.body().size(); ++offset)
      offsets.push_back(offset);
    const auto appends = records.records(offsets);
    ASSERT_TRUE(appends) << appends.error().to_string();
    ASSERT_EQ(appends->size(), 1u);
    EXPECT_LE(appends->front().key.size() + appends->front().value.size(), log::kRecordBytesMax);
    const auto message = record::decode_message(appends->front().value);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->where(),
              inlined ? record::Message::Where::kInline : record::Message::Where::kBody);
    if (inlined) {
      EXPECT_FALSE(appends->front().refers_to);
    } else {
      EXPECT_EQ(message->content.body().first_offset(), 7);
      // Else the body's segment may be used again before the router has read the record.
      const log::TopicPartition where{log::Topic::kBodies, log::partition_of(intake.id, 4)};
      EXPECT_EQ(appends->front().refers_to, (log::RecordPosition{where, 7}));
    }
  }
  EXPECT_FALSE(inlined);
}

TEST_F(IntakeTest, TheContentIsNotCopied) {
  add_recipients(1);
  const Bytes content = Bytes::adopt(std::string(5000, 'x'));
  intake.content = content;
  const auto appends = IntakeRecords(intake, four).records({});
  ASSERT_TRUE(appends);
  EXPECT_EQ(appends->front().value.pieces().back().view().data(), content.view().data());
}

// What one message set is not in the next that was put together in the same memory.
TEST_F(IntakeTest, AScratchLeavesNothingBehind) {
  record::Message scratch;
  const auto record_of = [&](const Intake& one) {
    const IntakeRecords records(one, four);
    const auto alone = records.records({});
    const auto with_scratch = records.records({}, scratch);
    EXPECT_TRUE(alone && with_scratch);
    EXPECT_EQ(with_scratch->front().value.to_string(), alone->front().value.to_string());
    EXPECT_EQ(scratch.where(), record::Message::Where::kNone);  // the content is not held
    EXPECT_EQ(scratch.head.message_id() + scratch.head.origin().helo(), "");
    return record::decode_message(with_scratch->front().value).value();
  };

  Intake full = intake;
  full.topic = log::Topic::kAcceptedUrgent;
  full.message_class = v1::URGENT;
  full.tags = {"spring"};
  full.origin = {"relay", "ESMTPSA", "192.0.2.1", "client", "ann", "TLSv1.3 X", "node1", "7"};
  full.envelope.parameters = {.body = smtp::Body::k8BitMime,
                              .smtputf8 = true,
                              .ret = smtp::Ret::kFull,
                              .envid = "envelope"};
  full.envelope.recipients = {
      {.address = *smtp::Address::parse("a@b"),
       .parameters = {.notify = smtp::kNotifyDelay, .orcpt = "rfc822;a@b"}}};
  full.content = Bytes::of_static("full\r\n");
  full.has_8bit = true;
  const record::Message first = record_of(full);
  EXPECT_EQ(first.head.origin().username(), "ann");
  EXPECT_EQ(first.head.origin().session(), "7");
  EXPECT_EQ(first.envelope.recipients(0).orcpt(), "rfc822;a@b");

  add_recipients(1);
  intake.envelope.sender = {};
  intake.content = Bytes::of_static("bare\r\n");
  const record::Message second = record_of(intake);
  EXPECT_EQ(second.head.origin().ByteSizeLong(), 0U);
  EXPECT_EQ(second.envelope.envid() + second.envelope.sender(), "");

  add_recipients(100);  // more than it keeps memory for
  record_of(intake);
  EXPECT_EQ(scratch.envelope.SpaceUsedLong(), v1::Envelope().SpaceUsedLong());
  intake.envelope.recipients.resize(1);
  record_of(intake);
}

TEST_F(IntakeTest, RecipientsOverSeveralRecords) {
  add_recipients(2500, 490);
  intake.tags = {"spring sale", "weekly"};
  intake.content = Bytes::of_static("x\r\n");
  const IntakeRecords records(intake, four);
  ASSERT_TRUE(records.needs_body());
  const auto appends = records.records(std::vector<log::Offset>{0});
  ASSERT_TRUE(appends);
  EXPECT_EQ(appends->size(), 3u);
  std::uint32_t next = 0;
  for (const log::Append& append : *appends) {
    EXPECT_LE(append.key.size() + append.value.size(), log::kRecordBytesMax);
    EXPECT_EQ(append.where, appends->front().where);
    const auto message = record::decode_message(append.value);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->head.first_index(), next);
    EXPECT_EQ(message->head.total(), 2500u);
    EXPECT_EQ(std::vector<std::string>(message->head.tags().begin(), message->head.tags().end()),
              intake.tags)
        << "each record is routed on its own";
    next += static_cast<std::uint32_t>(message->envelope.recipients_size());
  }
  EXPECT_EQ(next, 2500u);
}

}  // namespace
}  // namespace godwit::ingress
