#include "router/partition_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/async/test_loop.h"
#include "common/base/crc32c.h"
#include "common/log/fake_log.h"
#include "common/log/test_directory.h"
#include "common/poison/fake_death.h"
#include "router/fake_held_resolver.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FixedControl final : public control::View {
 public:
  FixedControl() : snapshot_(std::make_shared<control::Snapshot>()) { snapshot_->pools["default"]; }
  [[nodiscard]] control::SnapshotPtr current() const override { return snapshot_; }

 private:
  std::shared_ptr<control::Snapshot> snapshot_;
};

class Owner final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> partition) override {
    ownership = std::move(partition);
  }
  void revoked(log::PartitionId, std::move_only_function<void()> released) override { released(); }
  void lost(log::PartitionId) override {}

  std::shared_ptr<log::Ownership> ownership;
};

control::StaticRoutes routes() {
  std::vector<control::StaticRoute> list(1);
  list[0].domain = "*.routed.test";
  return control::StaticRoutes(list);
}

class PartitionRouterTest : public testing::Test {
 protected:
  ~PartitionRouterTest() override { end(); }

  // One record with one recipient for each address; the number is the message's.
  Rope message_to(const std::vector<std::string>& recipients, std::string content = "x\r\n\r") {
    record::Message message;
    const MessageId id = MessageId::generate(loop_.clock(), random_);
    message.head.set_message_id(std::string(id.octets()));
    message.head.set_accepted_unix_ms(to_unix_ms(loop_.clock().now()));
    std::uint32_t index = 0;
    for (const std::string& address : recipients) {
      v1::Recipient* recipient = message.envelope.add_recipients();
      recipient->set_index(index++);
      recipient->set_address(address);
    }
    message.content.set_size(content.size());
    message.data = Rope(Bytes::adopt(std::move(content)));
    return record::encode(message).value();
  }
  // True when the log took it; what is not synced yet counts.
  bool append(log::Topic topic, Rope value, std::string key = "key") {
    std::vector<log::Append> records;
    records.push_back(
        {.where = {topic, 0}, .key = std::move(key), .value = std::move(value), .refers_to = {}});
    const auto refused = std::make_shared<bool>(false);
    producer_->append(std::move(records), [refused](const Result<log::Written>& written) {
      *refused = !written.has_value();
    });
    return !*refused;
  }
  void accept(const std::string& recipient, log::Topic topic = log::Topic::kAccepted) {
    ASSERT_TRUE(append(topic, message_to({recipient})));
  }

  void start() {
    owner_ = std::make_shared<Owner>();
    group_ = log_.join({.name = "router",
                        .subscribed = log::Topic::kAccepted,
                        .followed = {log::Topic::kAcceptedUrgent}},
                       owner_)
                 .value();
    router_ = std::make_shared<PartitionRouter>(owner_->ownership,
                                                PartitionContext{.shard = loop_.shard(),
                                                                 .control = control_,
                                                                 .routes = routes_,
                                                                 .clock = loop_.clock(),
                                                                 .plan = plan_,
                                                                 .config = config_,
                                                                 .sites = sites_,
                                                                 .metrics = metrics_,
                                                                 .hand = poison_->at(0),
                                                                 .log = log_,
                                                                 .bodies = *bodies_});
    ended_ = false;
    loop_.spawn(run(router_, ended_));
  }
  static async::Task<void> run(std::shared_ptr<PartitionRouter> router, bool& ended) {
    co_await router->run();
    ended = true;
  }
  // The process dies: nothing of it goes on.
  void crash() {
    log_.crash();
    router_->lose();
    loop_.drive([&] { return ended_; });
    router_.reset();
    group_.reset();
    producer_ = log_.producer();
    bodies_ = log_.producer();
  }
  void end() {
    if (!router_) return;
    router_->lose();
    loop_.drive([&] { return ended_; });
    router_.reset();
  }
  // Everything that needs no time.
  void settle() {
    while (loop_.shard().poll() != 0) {
    }
  }

  [[nodiscard]] log::Offset committed(log::Topic topic = log::Topic::kAccepted) {
    return log_.committed("router", {topic, 0}).value();
  }
  std::vector<record::Delivery> deliveries(log::Topic topic = log::Topic::kOutbound) {
    std::vector<record::Delivery> out;
    for (const log::Record& record : log_.records(topic))
      out.push_back(record::decode_delivery(record.value).value());
    return out;
  }
  std::vector<std::string> routed_domains(log::Topic topic = log::Topic::kOutbound) {
    std::vector<std::string> out;
    for (const record::Delivery& delivery : deliveries(topic))
      out.push_back(delivery.head.domain());
    return out;
  }
  std::vector<std::string> routed_recipients() {
    std::vector<std::string> out;
    for (const log::Record& record : log_.records(log::Topic::kEvents)) {
      const record::Event event = record::decode_event(record.value).value();
      if (event.head.type() == v1::ROUTED) out.push_back(event.addresses.recipient());
    }
    return out;
  }

  async::VirtualLoop loop_;
  SeededRandom random_{7};
  log::FakeLog log_{loop_.clock(), 1};
  std::unique_ptr<log::Producer> producer_ = log_.producer();
  std::unique_ptr<log::Producer> bodies_ = log_.producer();
  HeldResolver dns_;
  FixedControl control_;
  const control::StaticRoutes routes_ = routes();
  PlanContext plan_{
      .outbound_partitions = 1, .node = "n1", .by_position = true, .event_partitions = 1};
  Config config_;
  observe::Metrics registry_;
  RouterMetrics metrics_{registry_};
  SiteFinder sites_{dns_, loop_.shard(), loop_.gate(), config_.sites, metrics_};
  std::unique_ptr<poison::Slots> poison_ = std::make_unique<poison::Slots>(1);
  std::shared_ptr<Owner> owner_;
  std::unique_ptr<log::Group> group_;
  std::shared_ptr<PartitionRouter> router_;
  bool ended_ = false;
};

TEST_F(PartitionRouterTest, APositionMovesWithWhatFollowsFromTheMessage) {
  start();
  settle();
  log_.hold();
  append(log::Topic::kAccepted, message_to({"a@a.routed.test", "b@b.routed.test"}));
  log_.sync();  // accepted
  settle();
  EXPECT_EQ(committed(), 0);
  log_.sync();  // routed
  EXPECT_EQ(committed(), 1);
  EXPECT_THAT(routed_domains(), ElementsAre("a.routed.test", "b.routed.test"));
  EXPECT_THAT(log_.records(log::Topic::kEvents), SizeIs(4));
  settle();
  EXPECT_TRUE(router_->idle());
  EXPECT_EQ(deliveries()[0].content.position().offset(), 0);
}

TEST_F(PartitionRouterTest, UrgentMailGoesFirst) {
  for (const char* to : {"1@a.routed.test", "2@a.routed.test", "3@a.routed.test"}) accept(to);
  for (const char* to : {"4@a.routed.test", "5@a.routed.test"})
    accept(to, log::Topic::kAcceptedUrgent);
  config_.window.batch_messages = 1;
  start();
  settle();
  EXPECT_THAT(routed_recipients(),
              ElementsAre("4@a.routed.test", "5@a.routed.test", "1@a.routed.test",
                          "2@a.routed.test", "3@a.routed.test"));
  EXPECT_EQ(committed(log::Topic::kAcceptedUrgent), 2);
  EXPECT_EQ(committed(), 3);
}

TEST_F(PartitionRouterTest, ABatchFitsIntoWhatTheLogTakes) {
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back(std::to_string(i) + "@a.routed.test");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(log::Topic::kAccepted, message_to(many)));
  log_.set_batch_bytes_max(64 * 1024);
  start();
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_EQ(committed(), 50);
  EXPECT_THAT(deliveries(), SizeIs(50));
}

TEST_F(PartitionRouterTest, AMessageThatFitsIntoNoBatchGoesToDead) {
  std::vector<std::string> many;
  for (int i = 0; i < 400; ++i) many.push_back(std::to_string(i) + "@a.routed.test");
  ASSERT_TRUE(append(log::Topic::kAccepted, message_to(many)));
  accept("1@a.routed.test");
  log_.set_batch_bytes_max(64 * 1024);
  start();
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_EQ(committed(), 2);
  EXPECT_THAT(log_.rows({log::Topic::kDead, 0}), SizeIs(1));
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test"));
}

// What follows is about logs where a delivery carries its content.
class ContentMovedTest : public PartitionRouterTest {
 protected:
  ContentMovedTest() { plan_.by_position = false; }
  // Content that is too much to be carried by each of three deliveries.
  void accept_large() {
    ASSERT_TRUE(
        append(log::Topic::kAccepted,
               message_to({"1@a.routed.test", "2@b.routed.test", "3@c.routed.test"}, kLarge)));
  }
  [[nodiscard]] std::string body() {
    std::string octets;
    for (const log::Record& chunk : log_.records(log::Topic::kBodies))
      octets += chunk.value.to_string();
    return octets;
  }

  const std::string kLarge = std::string(kCarriedBytesMax / 3 + 1, 'x');
};

TEST_F(ContentMovedTest, ContentTimesDeliveriesAboveTheBoundStandsInBodiesOnce) {
  accept_large();
  start();
  settle();
  EXPECT_EQ(committed(), 1);
  EXPECT_EQ(body(), kLarge);
  ASSERT_THAT(deliveries(), SizeIs(3));
  for (const record::Delivery& delivery : deliveries()) {
    EXPECT_EQ(delivery.where(), record::Delivery::Where::kBody);
    EXPECT_EQ(delivery.content.size(), kLarge.size());
    EXPECT_EQ(delivery.content.body().first_offset(), 0);
  }
}

TEST_F(ContentMovedTest, WhatIsSmallOrGoesOneWayIsCarried) {
  ASSERT_TRUE(append(log::Topic::kAccepted, message_to({"1@a.routed.test"}, kLarge)));
  ASSERT_TRUE(
      append(log::Topic::kAccepted, message_to({"2@b.routed.test", "3@c.routed.test"}, kLarge)));
  start();
  settle();
  EXPECT_EQ(committed(), 2);
  EXPECT_EQ(body(), "");
  for (const record::Delivery& delivery : deliveries())
    EXPECT_EQ(delivery.where(), record::Delivery::Where::kInline);
}

TEST_F(ContentMovedTest, NoDeliveryNamesContentThatIsNotAcknowledged) {
  start();
  accept_large();
  accept("4@d.routed.test");
  log_.hold();
  settle();
  EXPECT_EQ(log_.writes_waiting(), 1U) << "the content's, and no commit";
  EXPECT_THAT(deliveries(), IsEmpty());
  log_.sync();
  settle();
  log_.release();
  settle();
  EXPECT_EQ(committed(), 2);
  EXPECT_EQ(routed_domains().front(), "a.routed.test") << "the order of acceptance holds";
}

TEST_F(ContentMovedTest, ContentThatWasNotTakenIsWrittenAgain) {
  for (const auto code : {log::Errc::kUnavailable, log::Errc::kUnknown}) {
    start();
    settle();
    const auto before = committed();
    if (code == log::Errc::kUnknown) {
      accept_large();
      log_.unknown_next(true);
    } else {
      accept_large();
      log_.fail_next(code);
    }
    settle();
    EXPECT_THAT(router_->problem(), HasSubstr("content: "));
    loop_.drive([&] { return committed() == before + 1; });
    EXPECT_EQ(router_->problem(), "");
    end();
    group_.reset();
  }
  const std::vector<record::Delivery> made = deliveries();
  ASSERT_THAT(made, SizeIs(6));
  EXPECT_EQ(made[0].content.body().first_offset(), 0);
  EXPECT_EQ(made[3].content.body().first_offset(), 2) << "the second of two copies";
  EXPECT_EQ(body(), kLarge + kLarge + kLarge);
}

TEST_F(PartitionRouterTest, UrgentMailDoesNotWaitForASlowLookUpOfOthers) {
  dns_.hold("slow.test");
  accept("1@slow.test");
  start();
  settle();
  accept("2@a.routed.test", log::Topic::kAcceptedUrgent);
  settle();
  EXPECT_THAT(routed_recipients(), ElementsAre("2@a.routed.test"));
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 1);
}

TEST_F(PartitionRouterTest, LookUpsOverlapAndPositionsStayInOrder) {
  dns_.hold("slow.test");
  dns_.answers.set_mx("other.test", {{10, "mx.other.test"}});
  accept("1@slow.test");
  accept("2@other.test");
  accept("3@a.routed.test");
  start();
  settle();
  // What is behind is looked up, and not committed past the one in front.
  EXPECT_THAT(dns_.asked(), ElementsAre("slow.test", "other.test"));
  EXPECT_EQ(committed(), 0);
  EXPECT_THAT(log_.records(log::Topic::kOutbound), IsEmpty());
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_domains(), ElementsAre("slow.test", "other.test", "a.routed.test"));
  EXPECT_EQ(deliveries()[1].head.site(), "mx:mx.other.test");
}

TEST_F(PartitionRouterTest, ASlowLookUpIsNotWaitedForLongerThanThePatience) {
  dns_.hold("slow.test");
  append(log::Topic::kAccepted, message_to({"1@slow.test", "2@a.routed.test"}));
  start();
  const Instant began = loop_.clock().instant();
  loop_.drive([&] { return committed() == 1; });
  EXPECT_GE(loop_.clock().instant() - began, config_.sites.patience);
  EXPECT_LE(loop_.clock().instant() - began, config_.sites.patience + 1s);
  EXPECT_EQ(deliveries()[0].head.site(), "slow.test");
  // The late answer changes nothing that was committed, and is remembered.
  dns_.answers.set_mx("slow.test", {{10, "mx.slow.test"}});
  dns_.answer("slow.test");
  settle();
  accept("3@slow.test");
  settle();
  EXPECT_EQ(deliveries().back().head.site(), "mx:mx.slow.test");
}

TEST_F(PartitionRouterTest, NothingTheDnsSaysEndsARecipientHere) {
  using enum net::DnsOutcome;
  for (const auto& [domain, outcome] : std::map<std::string, net::DnsOutcome>{{"1.test", kNxDomain},
                                                                              {"2.test", kNoData},
                                                                              {"3.test", kServFail},
                                                                              {"4.test", kTimeout},
                                                                              {"5.test", kBogus}}) {
    dns_.answers.fail_mx(domain, outcome);
    accept("a@" + domain);
  }
  dns_.answers.set_mx("6.test", {{0, ""}});  // null MX
  accept("a@6.test");
  accept("no-domain");
  accept("a@not..valid");
  start();
  settle();
  EXPECT_THAT(routed_domains(), ElementsAre("1.test", "2.test", "3.test", "4.test", "5.test",
                                            "6.test", "", "not..valid"));
  for (const record::Delivery& delivery : deliveries())
    EXPECT_EQ(delivery.head.site(), delivery.head.domain());
}

TEST_F(PartitionRouterTest, ARecordThatCannotBeReadIsHeldAndThePartitionGoesOn) {
  accept("1@a.routed.test");
  append(log::Topic::kAccepted, Bytes::of_static("no record at all"), "whose");
  accept("2@a.routed.test");
  start();
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "2@a.routed.test"));
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows.begin()->first, "accepted/0/1");
  const record::Dead dead = record::decode_dead(Bytes::copy_of(rows.begin()->second)).value();
  EXPECT_EQ(dead.value.to_string(), "no record at all");
  EXPECT_EQ(dead.head.key(), "whose");
  EXPECT_THAT(dead.head.cause(), HasSubstr("malformed"));
}

TEST_F(PartitionRouterTest, WhatWasInHandAtThreeCrashesIsHeldAndThePartitionGoesOn) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  accept("3@a.routed.test");
  accept("4@a.routed.test");
  const log::TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  const log::TopicPartition where{log::Topic::kAccepted, 0};
  for (std::uint32_t crash = 1; crash <= poison::kCrashesMax; ++crash) {
    poison::fake_death(file, {{{where, 1}, poison::Step::kDecode}});
    poison::fake_death(file, {{{where, 2}, poison::Step::kSplit}});
    if (crash > 1) poison::fake_death(file, {{{where, 3}, poison::Step::kDecode}});
  }
  poison_ = std::make_unique<poison::Slots>(file, 4);
  start();
  settle();
  EXPECT_EQ(committed(), 4);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "4@a.routed.test"));
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(2));
  const std::map<std::string, std::string> causes{{"accepted/0/1", "decode: in hand at 3 crashes"},
                                                  {"accepted/0/2", "split: in hand at 3 crashes"}};
  for (const auto& [key, cause] : causes) {
    const record::Dead dead = record::decode_dead(Bytes::copy_of(rows.at(key))).value();
    EXPECT_EQ(dead.head.cause(), cause);
    EXPECT_EQ(dead.head.crashes(), 3U);
    EXPECT_EQ(dead.head.key(), "key");
    EXPECT_TRUE(record::decode_message(dead.value));
  }
}

// The body is freed with its segment, weeks before an operator has decided.
TEST_F(PartitionRouterTest, WhatGoesToDeadTakesItsBodyAlong) {
  const std::string content = "Subject: x\r\n\r\nbody\r\n";
  append(log::Topic::kBodies, Rope(Bytes::copy_of(content)));
  record::Message message = record::decode_message(message_to({"1@a.routed.test"})).value();
  message.data = {};
  message.content.set_size(content.size());
  message.content.set_crc32c(crc32c(content));
  message.content.mutable_body()->set_chunks(1);
  for (int i = 0; i < 2; ++i) append(log::Topic::kAccepted, record::encode(message).value());
  const log::TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  for (std::uint32_t crash = 1; crash <= poison::kCrashesMax; ++crash) {
    poison::fake_death(file, {{{{log::Topic::kAccepted, 0}, 0}, poison::Step::kDecode}});
    poison::fake_death(file, {{{{log::Topic::kAccepted, 0}, 1}, poison::Step::kSplit}});
  }
  poison_ = std::make_unique<poison::Slots>(file, 4);
  start();
  settle();
  EXPECT_EQ(committed(), 2);
  const auto rows = log_.rows({log::Topic::kDead, 0});
  ASSERT_THAT(rows, SizeIs(2));
  for (const auto& [key, row] : rows) {
    const record::Dead dead = record::decode_dead(Bytes::copy_of(row)).value();
    EXPECT_EQ(record::decode_message(dead.value).value().data.to_string(), content) << key;
  }
}

TEST_F(PartitionRouterTest, ARecordWhoseOctetsAreGoneLeavesAMark) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  accept("3@a.routed.test");
  log_.corrupt({{log::Topic::kAccepted, 0}, 1});
  start();
  settle();
  EXPECT_EQ(committed(), 3);
  EXPECT_THAT(routed_recipients(), ElementsAre("1@a.routed.test", "3@a.routed.test"));
  EXPECT_TRUE(log_.rows({log::Topic::kDead, 0}).contains("accepted/0/1"));
}

TEST_F(PartitionRouterTest, AMissingRecordStopsThePartitionLoudly) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  start();
  log_.trim({log::Topic::kAccepted, 0}, 1);  // retention was shorter than the backlog
  settle();
  EXPECT_EQ(owner_->ownership->committed(log::Topic::kAccepted), 0);
  EXPECT_THAT(log_.records(log::Topic::kOutbound), IsEmpty());
  EXPECT_THAT(router_->problem(), HasSubstr("accepted at 0"));
  EXPECT_FALSE(ended_);
}

TEST_F(PartitionRouterTest, ACommitThatWasNotWrittenIsRepeated) {
  accept("1@a.routed.test");
  accept("2@a.routed.test");
  log_.fail_next(log::Errc::kUnavailable);
  start();
  settle();
  EXPECT_EQ(committed(), 0);
  EXPECT_THAT(router_->problem(), HasSubstr("commit"));
  accept("3@a.routed.test");
  log_.fail_next(log::Errc::kNoSpace);
  loop_.drive([&] { return committed() == 3; });
  settle();
  EXPECT_EQ(router_->problem(), "");
  EXPECT_THAT(routed_recipients(),
              ElementsAre("1@a.routed.test", "2@a.routed.test", "3@a.routed.test"));
}

TEST_F(PartitionRouterTest, AfterAnUnknownCommitThePartitionIsLeft) {
  for (const bool written : {true, false}) {
    accept("1@a.routed.test");
    log_.unknown_next(written);
    start();
    loop_.drive([&] { return ended_; });
    router_.reset();
    group_.reset();
    // The next owner finds either all of it or nothing.
    const auto before = static_cast<std::size_t>(committed());
    EXPECT_EQ(deliveries().size(), before);
    start();
    loop_.drive([&] {
      return committed() == static_cast<log::Offset>(log_.records(log::Topic::kAccepted).size());
    });
    settle();
    EXPECT_EQ(deliveries().size(), log_.records(log::Topic::kAccepted).size());
    end();
    group_.reset();
  }
}

TEST_F(PartitionRouterTest, TakesNoMoreThanItsWindow) {
  config_.window.messages = 3;
  dns_.hold("slow.test");
  accept("0@slow.test");
  for (int i = 0; i < 10; ++i) accept("a@a.routed.test");
  start();
  settle();
  EXPECT_EQ(owner_->ownership->reader(log::Topic::kAccepted).next(), 3);
  dns_.answer("slow.test");
  settle();
  EXPECT_EQ(committed(), 11);
}

TEST_F(PartitionRouterTest, TakesNoMoreOctetsThanItsWindow) {
  config_.window.bytes = 1;  // one record is always taken
  log_.hold();
  for (int i = 0; i < 3; ++i) accept("a@a.routed.test");
  log_.sync();
  start();
  settle();
  EXPECT_EQ(owner_->ownership->reader(log::Topic::kAccepted).next(), 1);
  log_.release();
  settle();
  EXPECT_EQ(committed(), 3);
}

TEST_F(PartitionRouterTest, DrainCommitsWhatIsInHandAndEnds) {
  dns_.hold("slow.test");
  accept("1@slow.test");
  start();
  settle();
  router_->drain();
  accept("2@a.routed.test");
  settle();
  EXPECT_FALSE(ended_);
  dns_.answer("slow.test");
  loop_.drive([&] { return ended_; });
  EXPECT_EQ(committed(), 1);  // what came later stays in the log
}

TEST_F(PartitionRouterTest, StopWaitsForTheCommitUnderWay) {
  log_.hold();
  accept("1@a.routed.test");
  log_.sync();
  start();
  settle();
  EXPECT_EQ(log_.writes_waiting(), 1U);
  router_->stop();
  settle();
  EXPECT_FALSE(ended_);
  log_.release();
  settle();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(committed(), 1);
}

// Kills at random steps; synced or not, with refused commits and slow answers in between. However it goes, each
// recipient is routed once, under the same delivery id, and no position is ahead of its deliveries.
TEST_F(PartitionRouterTest, ACrashBetweenAnyTwoStepsRepeatsWithoutDoubling) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  config_.window.batch_messages = 3;
  config_.window.messages = 8;
  const std::vector<std::string> domains = {"a.routed.test", "b.routed.test", "x.test", "y.test",
                                            "z.test"};
  std::size_t accepted = 0;
  std::size_t crashes = 0;
  log_.hold();
  start();
  const auto check_positions = [&] {
    for (const log::Topic topic : {log::Topic::kAccepted, log::Topic::kAcceptedUrgent}) {
      const auto source = log_.records(topic);
      std::set<std::string> routed;
      for (const record::Delivery& delivery : deliveries())
        routed.insert(delivery.head.message_id());
      for (log::Offset offset = 0; offset < committed(topic); ++offset) {
        const auto message =
            record::decode_message(source[static_cast<std::size_t>(offset)].value).value();
        ASSERT_TRUE(routed.contains(message.head.message_id()));
      }
    }
  };
  for (int step = 0; step < 3'000; ++step) {
    switch (random() % 12) {
      case 0:
      case 1: {
        const auto topic = random() % 3 == 0 ? log::Topic::kAcceptedUrgent : log::Topic::kAccepted;
        std::vector<std::string> recipients;
        for (unsigned i = 1 + random() % 3; i > 0; --i)
          recipients.push_back("r@" + domains[random() % domains.size()]);
        if (!append(topic, message_to(recipients))) break;
        log_.sync();  // acknowledged: from here on it must not be lost
        accepted += recipients.size();
        break;
      }
      case 2: log_.sync(); break;
      case 3:
        log_.fail_next(log::Errc::kUnavailable);
        log_.sync();
        break;
      case 4: dns_.hold(domains[2 + random() % 3]); break;
      case 5:
        for (const std::string& domain : domains) dns_.answer(domain);
        break;
      case 6: loop_.clock().advance(std::chrono::milliseconds(random() % 3'000)); break;
      case 7:
        if (random() % 4 != 0) break;
        crash();
        ++crashes;
        start();
        break;
      default: loop_.shard().poll();
    }
    if (step % 25 == 0) check_positions();
  }
  EXPECT_GT(crashes, 10U);
  for (const std::string& domain : domains) dns_.answer(domain);
  log_.release();
  const auto all = [&](log::Topic topic) {
    return static_cast<log::Offset>(log_.records(topic).size());
  };
  loop_.drive([&] {
    return committed() == all(log::Topic::kAccepted) &&
           committed(log::Topic::kAcceptedUrgent) == all(log::Topic::kAcceptedUrgent);
  });
  std::set<std::string> recipients, ids, events;
  for (const record::Delivery& delivery : deliveries()) {
    EXPECT_TRUE(ids.insert(record::delivery_id(delivery).to_text()).second);
    for (const v1::Recipient& recipient : delivery.envelope.recipients()) {
      EXPECT_TRUE(recipients.insert(RecipientId{delivery.message_id(), recipient.index()}.to_text())
                      .second);
    }
  }
  EXPECT_EQ(recipients.size(), accepted);
  for (const log::Record& record : log_.records(log::Topic::kEvents)) {
    EXPECT_TRUE(events.insert(record::decode_event(record.value)->head.id()).second);
  }
  EXPECT_EQ(events.size(), 2 * accepted);
}

}  // namespace
}  // namespace godwit::router
