#include "common/admin/held_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "common/admin/convert.h"
#include "common/admin/errc.h"
#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"
#include "common/record/keys.h"
#include "common/record/records.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

using log::Topic;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A sender that has parked something.
class Owner final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> taken) override {
    owned[taken->partition()] = std::move(taken);
  }
  void revoked(log::PartitionId, std::move_only_function<void()> released) override { released(); }
  void lost(log::PartitionId) override {}
  std::map<log::PartitionId, std::shared_ptr<log::Ownership>> owned;
};

class HeldDeskTest : public testing::Test {
 protected:
  HeldDeskTest() {
    group_ =
        log_.join({.name = "sender", .subscribed = Topic::kOutbound, .tables = {Topic::kRetries}},
                  owner_)
            .value();
  }
  ~HeldDeskTest() override { group_->stop(std::chrono::seconds(1)); }

  static record::Delivery delivery(char number, std::vector<bool> held) {
    record::Delivery delivery;
    delivery.head.set_message_id(std::string(16, number));
    delivery.head.set_tenant("acme");
    delivery.head.set_site("site");
    delivery.head.set_pool("pool");
    delivery.head.set_attempts(2);
    delivery.head.set_accepted_unix_ms(1000 * number);
    delivery.head.set_expires_unix_ms(2000 * number);
    delivery.head.mutable_last_reply()->set_text("it hung up");
    delivery.envelope.set_sender("ann@acme.example");
    for (const bool each : held) {
      auto& recipient = *delivery.envelope.add_recipients();
      recipient.set_index(static_cast<std::uint32_t>(delivery.envelope.recipients_size() - 1));
      recipient.set_address("r" + std::to_string(recipient.index()) + "@example.net");
      recipient.set_held(each ? 2 : 0);
    }
    return delivery;
  }
  std::string park(log::PartitionId partition, const record::Delivery& delivery) {
    const DeliveryId id = record::delivery_id(delivery);
    put(partition, record::delivery_key(id), record::encode(delivery).value());
    return id.to_text();
  }
  void put(log::PartitionId partition, std::string key, Rope value) {
    log::Batch batch;
    batch.changes.push_back({{Topic::kRetries, partition}, std::move(key), std::move(value)});
    owner_->owned.at(partition)->commit(std::move(batch), [](Result<log::Written>) {});
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
  std::shared_ptr<Owner> owner_ = std::make_shared<Owner>();
  std::unique_ptr<log::Group> group_;
  HeldDesk desk_{log_};
};

TEST_F(HeldDeskTest, NobodyIsHeld) {
  const std::string deferred = park(0, delivery('a', {false, false}));
  put(0, "d/no delivery", Rope(Bytes::of_static("x")));
  put(0, record::delivery_key({MessageId{}, 1}), Rope(Bytes::of_static("unreadable")));
  EXPECT_EQ(desk_.list(10).value().total, 0U);
  for (const std::string& key : {deferred, std::string("x"), std::string()}) {
    EXPECT_EQ(desk_.decide(key, accounting::HeldDecision::kRetry, "ann").error().code,
              Errc::kInvalid)
        << key;
  }
  EXPECT_THAT(log_.records(Topic::kOutbound), IsEmpty());
}

TEST_F(HeldDeskTest, TheOldestAreListedFirst) {
  park(0, delivery('c', {true}));
  const std::string oldest = park(1, delivery('a', {false, true, true}));
  park(0, delivery('b', {true}));
  const accounting::HeldList list = desk_.list(2).value();
  EXPECT_EQ(list.total, 3U);
  ASSERT_THAT(list.rows, SizeIs(2));
  const accounting::HeldRow& row = list.rows.front();
  EXPECT_EQ(row.delivery.to_text(), oldest);
  EXPECT_EQ(row.partition, 1U);
  EXPECT_THAT(row.recipients, ElementsAre("r1@example.net", "r2@example.net"));
  EXPECT_EQ(row.sender, "ann@acme.example");
  EXPECT_EQ(row.reply, "it hung up");
  EXPECT_EQ(to_unix_ms(row.expires), 2000 * 'a');
  EXPECT_EQ(list.rows.back().delivery.message.octets().front(), 'b');
}

TEST_F(HeldDeskTest, ADecisionGoesToWhoOwnsIt) {
  for (const accounting::HeldDecision decision :
       {accounting::HeldDecision::kRetry, accounting::HeldDecision::kDelivered,
        accounting::HeldDecision::kFailed}) {
    for (const bool urgent : {false, true}) {
      record::Delivery held = delivery(urgent ? 'u' : 'b', {false, true});
      if (urgent) held.head.set_class_(::godwit::v1::URGENT);
      const std::string key = park(1, held);
      EXPECT_EQ(desk_.decide(key, decision, "ann").value(), 1U);
      const auto records = log_.records({urgent ? Topic::kOutboundUrgent : Topic::kOutbound, 1});
      const auto written = record::decode_delivery(records.back().value);
      ASSERT_TRUE(written) << written.error().to_string();
      EXPECT_EQ(record::delivery_id(*written).to_text(), key);
      EXPECT_EQ(written->head.decision().what(), static_cast<int>(decision));
      EXPECT_EQ(written->head.decision().actor(), "ann");
      ASSERT_EQ(written->envelope.recipients_size(), 1);
      EXPECT_EQ(written->envelope.recipients(0).index(), 1U);
      EXPECT_EQ(written->envelope.recipients(0).held(), 2U);
    }
  }
}

TEST_F(HeldDeskTest, TheListTravels) {
  park(0, delivery('a', {true, false, true}));
  const accounting::HeldList list = desk_.list(10).value();
  v1::HeldListResponse message;
  to_message(list, message);
  message.add_rows()->set_delivery("of another version");
  const accounting::HeldList there = from_message(message);
  EXPECT_EQ(there.total, 1U);
  ASSERT_THAT(there.rows, SizeIs(1));
  const accounting::HeldRow& one = list.rows.front();
  const accounting::HeldRow& other = there.rows.front();
  EXPECT_EQ(std::tie(one.delivery, one.partition, one.tenant, one.sender, one.recipients, one.site),
            std::tie(other.delivery, other.partition, other.tenant, other.sender, other.recipients,
                     other.site));
  EXPECT_EQ(std::tie(one.pool, one.reply, one.accepted, one.expires, one.attempts),
            std::tie(other.pool, other.reply, other.accepted, other.expires, other.attempts));
}

TEST_F(HeldDeskTest, ALogThatDoesNotTakeItIsSaidSo) {
  const std::string key = park(0, delivery('a', {true}));
  log_.fail_next(log::Errc::kNoSpace);
  EXPECT_EQ(desk_.decide(key, accounting::HeldDecision::kRetry, "ann").error().code,
            log::Errc::kNoSpace);
}

}  // namespace
}  // namespace godwit::admin
