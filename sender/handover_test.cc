// A partition changes hands, or may have: commits without an answer, leases, owners that did not finish.

#include "sender/role_test_support.h"

#include <algorithm>
#include <atomic>

#include "common/record/keys.h"

namespace godwit::sender {
namespace {

using testing::ElementsAre;

class SenderHandover : public testing::Test {
 protected:
  SenderHandover() { system_.route_all_to(peer_.port()); }

  [[nodiscard]] bool claimed() const {
    return system_.log.rows({log::Topic::kRetries, 0}).contains(std::string(record::kOwnerKey));
  }
  // As another process that owned the partition would.
  void another_owner_takes_it() {
    class Other final : public log::GroupListener {
     public:
      void assigned(std::shared_ptr<log::Ownership> taken) override {
        ownership = std::move(taken);
      }
      void revoked(log::PartitionId, std::move_only_function<void()> released) override {
        released();
      }
      void lost(log::PartitionId) override {}
      std::shared_ptr<log::Ownership> ownership;
    };
    v1::OwnerClaim claim;
    claim.set_version(1);
    claim.set_process("somebody else's.");
    auto other = std::make_shared<Other>();
    const auto group = system_.log
                           .join({.name = "other",
                                  .subscribed = log::Topic::kReports,
                                  .tables = {log::Topic::kRetries}},
                                 other)
                           .value();
    log::Batch batch;
    batch.changes.push_back(
        {{log::Topic::kRetries, 0}, std::string(record::kOwnerKey), record::encode(claim)});
    other->ownership->commit(std::move(batch), [](Result<log::Written>) {});
    group->stop(1s);
  }

  std::atomic<bool> at_data_{false};
  std::atomic<bool> at_dot_{false};
  std::atomic<bool> answer_{true};
  FakePeer peer_{[this](Stage stage, const std::string&, int) {
    if (stage == Stage::kData) at_data_ = true;
    if (stage == Stage::kDot) at_dot_ = true;
    if (stage == Stage::kData || stage == Stage::kDot)
      (void)FakeMailSystem::eventually([&] { return answer_.load(); });
    return std::string();
  }};
  FakeMailSystem system_;
};

class ACommitWithoutAnAnswer : public SenderHandover, public testing::WithParamInterface<bool> {};

TEST_P(ACommitWithoutAnAnswer, IsNotAttemptedAgainWhenThePartitionComesBack) {
  answer_ = false;
  system_.start();
  EVENTUALLY(claimed());
  system_.put({});
  EVENTUALLY(at_data_.load());
  system_.log.unknown_next(GetParam());
  answer_ = true;
  EVENTUALLY(!system_.role().problem().empty());
  system_.log.assign("sender", 0);
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EVENTUALLY(system_.committed() == 1);
  system_.put({.recipients = {"two"}});
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  EXPECT_EQ(peer_.mails().size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Each, ACommitWithoutAnAnswer, testing::Bool(), [](const auto& info) {
  return info.param ? "ThatWasWritten" : "ThatWasNotWritten";
});

TEST_F(SenderHandover, ADeferralWithoutAnAnswerIsParkedAsItWas) {
  std::atomic<bool> at_rcpt = false;
  FakePeer deferring([&](Stage stage, const std::string&, int) {
    if (stage != Stage::kRcpt) return std::string();
    at_rcpt = true;
    (void)FakeMailSystem::eventually([&] { return answer_.load(); });
    return std::string("450 4.2.0 later");
  });
  answer_ = false;
  system_.route_all_to(deferring.port());
  system_.start();
  EVENTUALLY(claimed());
  system_.put({.recipients = {"one", "two"}});
  EVENTUALLY(at_rcpt.load());
  system_.log.unknown_next(false);
  answer_ = true;
  EVENTUALLY(!system_.role().problem().empty());
  system_.log.assign("sender", 0);
  EVENTUALLY(system_.parked().size() == 1);
  EXPECT_EQ(system_.parked().front().attempts(), 1U);
  EXPECT_EQ(system_.count(v1::DEFERRED), 2U);
  EXPECT_EQ(deferring.mail_times().size(), 1U);
}

TEST_F(SenderHandover, OutcomesAreDroppedWhenAnotherOwnerWasHereMeanwhile) {
  answer_ = false;
  system_.start();
  EVENTUALLY(claimed());
  system_.put({});
  EVENTUALLY(at_data_.load());
  system_.log.unknown_next(false);
  answer_ = true;
  EVENTUALLY(!system_.role().problem().empty());
  another_owner_takes_it();
  system_.log.assign("sender", 0);
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_EQ(peer_.mails().size(), 2U) << "what the other one did is not known";
}

TEST_F(SenderHandover, AnOwnerThatFinishesLeavesNoClaim) {
  system_.start();
  EVENTUALLY(claimed());
  system_.stop();
  EXPECT_FALSE(claimed());
}

TEST_F(SenderHandover, AnAttemptWaitsForTheClaim) {
  system_.put({});
  system_.log.hold();
  system_.start();
  EVENTUALLY(system_.log.writes_waiting() == 1);
  EVENTUALLY(system_.role().summary({}).value().counts.waiting == 1);
  EXPECT_EQ(peer_.connections(), 0);
  system_.log.release();
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
}

TEST_F(SenderHandover, OnlyAfterAnUncleanOneThereIsNoBurst) {
  system_.control.shaping.push_back(
      {.is_default = true, .max_message_rate = control::Rate{1, std::chrono::hours{1}, 5}});
  system_.start();
  for (int i = 0; i < 2; ++i) system_.put({.domain = "a.example"});
  EVENTUALLY(system_.count(v1::DELIVERED) == 2);
  system_.stop();
  system_.start();
  for (int i = 0; i < 2; ++i) system_.put({.domain = "b.example"});
  EVENTUALLY(system_.count(v1::DELIVERED) == 4);
  system_.log.crash();
  system_.stop(0ms);
  system_.start();
  for (int i = 0; i < 2; ++i) system_.put({.domain = "c.example"});
  const auto limited = [&] {
    const auto summary = system_.role().summary({.by = admin::QueueBy::kLane}).value();
    return std::ranges::any_of(summary.rows, [](const admin::QueueRow& row) {
      return row.name == "c.example default" && row.suspended == "max_message_rate" &&
             row.counts.waiting == 1;
    });
  };
  EVENTUALLY(system_.count(v1::DELIVERED) == 5);
  EVENTUALLY(limited());
}

// Whoever came after a crash would spend it a second time.
TEST_F(SenderHandover, ATokenOfASlowLimitIsCommittedBeforeTheAttempt) {
  std::atomic<int> mails = 0;
  std::atomic<int> committed = 0;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage != Stage::kMail) return std::string();
    const auto rows = system_.retries();
    const auto row = rows.find(record::lane_key({SiteName("a.example"), PoolName("default")}));
    // Each token puts the next one off by an hour.
    const Timestamp spent = system_clock().now() + ++mails * 1h - 1min;
    if (row != rows.end() &&
        record::decode_lane_state(row->second).value().limiters(0).theoretical_arrival_unix_us() >=
            to_unix_ms(spent) * 1000) {
      ++committed;
    }
    return std::string();
  });
  system_.route_all_to(peer.port());
  system_.control.shaping.push_back(
      {.is_default = true, .max_message_rate = control::Rate{1, std::chrono::hours{1}, 3}});
  system_.start();
  for (int i = 0; i < 3; ++i) system_.put({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 3);
  EXPECT_EQ(mails, 3);
  EXPECT_EQ(committed, 3);
}

TEST_F(SenderHandover, ALeaseIsRenewedByIdleOwners) {
  system_.log.set_lease(200ms);
  system_.start();
  const auto until = std::chrono::steady_clock::now() + 600ms;
  EVENTUALLY(std::chrono::steady_clock::now() > until);
  system_.put({});
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
}

// Brokers may be slow to end the transaction before it. What a host has heard is not attempted by the next owner.
TEST_F(SenderHandover, TheLastCommitIsWaitedForAsLongAsItsLease) {
  system_.log.set_lease(20s);
  system_.start();
  EVENTUALLY(claimed());
  system_.log.hold();
  system_.put_unsynced({});
  system_.log.sync();
  EVENTUALLY(peer_.mails().size() == 1);
  EVENTUALLY(system_.log.writes_waiting() > 0);
  system_.log.revoke("sender", 0);
  const auto slow = std::chrono::steady_clock::now() + 6s;
  EVENTUALLY(std::chrono::steady_clock::now() > slow);
  system_.log.release();
  EVENTUALLY(system_.committed() == 1);
  EXPECT_EQ(system_.count(v1::DELIVERED), 1U);
  EVENTUALLY(!claimed());
}

TEST_F(SenderHandover, AfterTheLeaseNoMailAndNoFinalDotGoesOut) {
  constexpr auto kLease = 300ms;
  system_.log.set_lease(kLease);
  system_.config.commit_age_max = 1h;  // so that only the lease is left
  answer_ = false;
  system_.start();
  EVENTUALLY(claimed());
  system_.put({});
  EVENTUALLY(at_data_.load());
  system_.control.shaping.push_back({.domain = "b.example", .connection_limit = 0});
  system_.publish();
  system_.put({.domain = "b.example"});
  EVENTUALLY(system_.role().summary({}).value().counts.waiting == 1);
  system_.log.hold();
  const auto over = std::chrono::steady_clock::now() + 2 * kLease;
  EVENTUALLY(std::chrono::steady_clock::now() > over);
  EXPECT_EQ(peer_.mail_times().size(), 1U);
  system_.control.shaping.clear();  // the other one may go now
  system_.publish();
  answer_ = true;  // to DATA
  EVENTUALLY(std::chrono::steady_clock::now() > over + kLease);
  EXPECT_EQ(peer_.mail_times().size(), 1U);
  EXPECT_FALSE(at_dot_);
  EXPECT_EQ(peer_.connections(), 1) << "what may not send does not connect";
  system_.log.release();
  EVENTUALLY(system_.count(v1::DELIVERED) == 1);
  EXPECT_EQ(system_.count(v1::DEFERRED), 1U);
  EXPECT_EQ(peer_.mails().size(), 1U);
}

}  // namespace
}  // namespace godwit::sender
