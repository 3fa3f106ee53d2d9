#include "common/audit/audit.h"

#include <gtest/gtest.h>

#include "common/audit/errc.h"
#include "common/audit/test_mail_flow.h"

namespace godwit::audit {
namespace {

class Audit : public AuditTest {};

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
