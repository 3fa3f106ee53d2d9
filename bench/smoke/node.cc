#include "bench/smoke/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "bench/smoke/counts.h"
#include "bench/smoke/mail.h"
#include "common/base/check.h"
#include "ingress/smtp_session.h"
#include "router/role.h"
#include "sender/role.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kChunkBytes = 16 * 1024;  // of one write of a client

// As a deployment: the tenants and the pool that mail goes through are there.
control::Snapshot control_data() {
  control::Snapshot snapshot;
  snapshot.tenants["default"].name = TenantName("default");
  snapshot.sources["default"].name = SourceName("default");
  snapshot.pools["default"] = {PoolName("default"), {{SourceName("default"), 1}}};
  return snapshot;
}

sender::Config sender_config() {
  sender::Config config;
  config.routes = {{.domain = "*", .to = "192.0.2.1:25"}};
  return config;
}

std::string domain(std::size_t number) {
  return fmt::format("d{}.example", number % Node::kConnections);
}

}  // namespace

Node::Node(const NodeLoad& load) : load_(load), content_(mail_of(load.bytes) + ".\r\n") {
  control_.set(control_data());
  ingress_config_.hostname = "mx.example";
  ingress_config_.smtp = {{.listen = {"127.0.0.1", 2525},
                           .kind = ingress::ListenerKind::kRelay,
                           .trusted_networks = {"0.0.0.0/0"}}};
  authenticator_ = std::make_unique<ingress::Authenticator>(
      control_, clock_, ingress_config_.budgets, ingress_metrics_);
  services_ = std::make_unique<ingress::Services>(ingress::Services{
      .config = ingress_config_,
      .hostname = "mx.example",
      .node = "node1",
      .return_path = {},
      .log = log_,
      .control = control_,
      .clock = clock_,
      .metrics = ingress_metrics_,
      .authenticator = *authenticator_,
      .sessions = sessions_,
      .budget = std::make_shared<ingress::ByteBudget>(ingress_config_.budgets.message_bytes_max),
      .tls = nullptr});
  port_ = std::make_unique<ingress::Port>(*services_, ingress_config_.smtp.front());
  shard_services_ =
      std::make_unique<ingress::ShardServices>(ingress_shards_.at(0), log_.producer());

  const sender::Config config = sender_config();
  if (routes()) router_ = router::make_router(context(router_shards_), {}, config.static_routes());
  if (delivers()) sender_ = sender::make_sender(context(sender_shards_), config);
  for (role::Role* role : {router_.get(), sender_.get()}) {
    if (role == nullptr) continue;
    const auto started = role->start();
    CHECK(started.has_value(), "{}", started.error().to_string());
  }
  if (delivers()) deliver();
  for (const role::Role* role : {router_.get(), sender_.get()})
    CHECK(role == nullptr || role->problem().empty(), "{}", role->problem());
  connect_clients();
}

role::RoleContext Node::context(async::Shards& shards) {
  return {.shards = shards,
          .pool = pool_,
          .log = log_,
          .control = control_,
          .resolver = resolver_,
          .clock = clock_,
          .metrics = metrics_,
          .health = health_,
          .poison = poison_,
          .node = "node1",
          .data_dir = {},
          .connector = host_};
}

bool Node::run(async::Shard& shard, bool counts) {
  const Counted counted(counts);
  bool any = false;
  while (shard.poll() > 0) any = true;
  return any;
}

void Node::connect_clients() {
  for (std::size_t i = 0; i < kConnections; ++i) {
    Client client;
    async::Shard& shard = ingress_shards_.at(0);
    shard.spawn(ingress::SmtpSession::serve(*services_, *port_, *shard_services_,
                                            net::Stream(shard, client.wire.other())),
                gate_);
    clients_.push_back(std::move(client));

    std::vector<std::string> commands = {"MAIL FROM:<news@shop.example>\r\n"};
    for (std::size_t r = 0; r < load_.recipients; ++r)
      commands.push_back(fmt::format("RCPT TO:<ann{}@{}>\r\n", r, domain(i + r)));
    commands.emplace_back("DATA\r\n");
    if (load_.pipelined) {
      std::string all;
      for (const std::string& command : commands) all += command;
      commands = {std::move(all)};
    }
    envelopes_.push_back(std::move(commands));
  }
  say("EHLO client.example\r\n", 2);  // the greeting, too
}

void Node::say(const std::string& to_all, std::size_t replies) {
  say(std::vector(clients_.size(), to_all), replies);
}

void Node::say(const std::vector<std::string>& to_each, std::size_t replies) {
  for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].wire.send(to_each[i]);
  run(ingress_shards_.at(0), load_.ingress);
  for (Client& client : clients_) {
    client.wire.receive(client.replies);
    std::size_t seen = 0;
    for (std::size_t at = 0; at < client.replies.size(); ++seen) {
      const std::size_t end = client.replies.find("\r\n", at);
      const std::string_view line = std::string_view(client.replies).substr(at, end - at);
      CHECK(end != std::string::npos && (line.starts_with('2') || line.starts_with('3')),
            "the session said: {}", line);
      if (line.size() > 3 && line[3] == '-') --seen;
      at = end + 2;
    }
    CHECK(seen == replies, "{} replies: {}", seen, client.replies);
    client.replies.clear();
  }
}

void Node::hand_in() {
  const std::size_t steps = envelopes_.front().size();
  for (std::size_t step = 0; step < steps; ++step) {
    std::vector<std::string> commands;
    for (const auto& envelope : envelopes_) commands.push_back(envelope[step]);
    say(commands, load_.pipelined ? 2 + load_.recipients : 1);
  }
  for (std::size_t at = 0; at < content_.size(); at += kChunkBytes)
    say(content_.substr(at, kChunkBytes), at + kChunkBytes < content_.size() ? 0 : 1);
}

void Node::deliver() {
  for (bool any = true; any;) {
    any = run(sender_shards_.at(0), load_.sender);
    any = host_.serve() || any;
  }
}

void Node::round() {
  hand_in();
  if (routes()) run(router_shards_.at(0), load_.router);
  if (delivers()) {
    deliver();
    clock_.advance(2 * sender::Config{}.commit_interval);
    deliver();
    delivered_ += kConnections * load_.recipients;
    CHECK(host_.taken() == delivered_, "the host has {} of {}", host_.taken(), delivered_);
    const log::TopicPartition outbound{log::Topic::kOutbound, 0};
    const auto committed = log_.committed("sender", outbound);
    CHECK(committed && *committed == static_cast<log::Offset>(delivered_), "{} of {}",
          committed.value_or(-1), delivered_);
  } else {
    clock_.advance(100ms);
  }
  if (routes()) {
    const auto committed = log_.committed("router", {log::Topic::kAccepted, 0});
    CHECK(committed && *committed == log_.end({log::Topic::kAccepted, 0}), "not routed");
  }
}

std::span<const NamedScenario> node_scenarios() {
  static constexpr auto kScenarios = std::to_array<NamedScenario>({
      {"accept-5k",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.ingress = true});
       }},
      {"accept-5k-pipelined",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.pipelined = true, .ingress = true});
       }},
      {"accept-20-recipients",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(
             NodeLoad{.recipients = 20, .pipelined = true, .ingress = true});
       }},
      {"accept-100k",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.bytes = 100 * 1024, .ingress = true});
       }},
      {"route",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.router = true});
       }},
      {"route-20-recipients",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(
             NodeLoad{.recipients = 20, .pipelined = true, .router = true});
       }},
      {"deliver-5k",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.sender = true});
       }},
      {"deliver-100k",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.bytes = 100 * 1024, .sender = true});
       }},
      {"relay-5k",
       []() -> std::unique_ptr<Scenario> {
         return std::make_unique<Node>(NodeLoad{.ingress = true, .router = true, .sender = true});
       }},
  });
  return kScenarios;
}

}  // namespace godwit::bench
