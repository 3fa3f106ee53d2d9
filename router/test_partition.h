#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/async/test_loop.h"
#include "common/control/fake_view.h"
#include "common/log/fake_log.h"
#include "common/poison/slots.h"
#include "router/fake_held_resolver.h"
#include "router/partition_router.h"

// For tests: one partition of a router in virtual time, on a FakeLog, with a DNS that answers when the test says so.
namespace godwit::router {

inline control::Snapshot default_pool() {
  control::Snapshot snapshot;
  snapshot.pools["default"];
  return snapshot;
}

class Owner final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> partition) override {
    ownership = std::move(partition);
  }
  void revoked(log::PartitionId, std::move_only_function<void()> released) override { released(); }
  void lost(log::PartitionId) override {}

  std::shared_ptr<log::Ownership> ownership;
};

inline control::StaticRoutes static_routes() {
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
  control::FakeView control_{default_pool()};
  const control::StaticRoutes routes_ = static_routes();
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

}  // namespace godwit::router
