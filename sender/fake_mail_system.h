#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/commands/fake_view.h"
#include "common/log/fake_log.h"
#include "common/net/fake_resolver.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/record/records.h"
#include "sender/role.h"

namespace godwit::sender {

// Everything around the role, for its component tests: a log in memory, a DNS that knows what it was told,
// control data, shards; and the router's part, which puts deliveries into `outbound`.
class FakeMailSystem {
 public:
  explicit FakeMailSystem(log::PartitionId partitions = 1);
  ~FakeMailSystem();

  // Before start(); later changes of `control` need publish().
  Config config;
  control::Snapshot control;
  log::FakeLog log;
  commands::FakeView commands;
  net::FakeResolver dns;
  std::optional<net::Address> capture;  // where routes `to: capture` lead

  void publish();
  // All mail goes to that port on 127.0.0.1, lanes stay those of the domains.
  void route_all_to(std::uint16_t port);
  // Ready, but for commands that have not been read.
  void start();
  // The slots of the next start(): of the file an earlier process left.
  void read_slots(const std::filesystem::path& file) {
    poison_ = std::make_unique<poison::Slots>(file, shards_->size());
  }
  void drain(Duration bound = std::chrono::seconds(10));
  // Drains, then ends the role; start() may follow.
  void stop(Duration bound = std::chrono::seconds(10));
  [[nodiscard]] Sender& role() { return *role_; }

  struct Mail {
    std::string domain = "a.example";
    std::vector<std::string> recipients = {"one"};  // local parts
    std::string content = "Subject: test\r\n\r\nHello\r\n";
    std::string tenant = "acme";
    std::string site;  // empty: the domain
    std::vector<std::string> tags = {};
    bool urgent = false;
    bool in_bodies = false;  // its content, where the delivery refers to it
    bool wrong_checksum = false;
    bool has_8bit = false;
    bool smtputf8 = false;
    std::chrono::milliseconds due_in{0};
    std::chrono::milliseconds expires_in{0};  // 0: by age
    log::PartitionId partition = 0;
  };
  // Accepts and routes it; the message id.
  MessageId put(const Mail& mail);
  // The same as a router ahead of the disk does it: readable at once, durable when the log is.
  MessageId put_unsynced(const Mail& mail);
  // The same message to another domain: a delivery of its own, with the same content.
  void put_copy(const MessageId& of, std::uint32_t index, const std::string& domain);
  // Any octets as a record of `outbound`.
  void put_octets(std::string_view octets);

  [[nodiscard]] std::vector<record::Event> events() const;
  // "delivered one@a.example 250 dot", in the order of the log, times and ids left out.
  [[nodiscard]] std::vector<std::string> story() const;
  [[nodiscard]] std::size_t count(v1::EventType type) const;
  // Of `retries`, without the owner's claim.
  [[nodiscard]] std::map<std::string, std::string> retries(log::PartitionId partition = 0) const;
  [[nodiscard]] std::vector<v1::Delivery> parked(log::PartitionId partition = 0) const;
  [[nodiscard]] log::Offset committed(log::Topic topic = log::Topic::kOutbound,
                                      log::PartitionId partition = 0);

  // The value of a metric without labels; 0: it is not there.
  [[nodiscard]] double metric(std::string_view name) const;

  // Waits, up to a generous limit, until it is so; false: it never was.
  [[nodiscard]] static bool eventually(const std::function<bool()>& so,
                                       std::chrono::seconds limit = std::chrono::seconds(30));

 private:
  class ControlView;
  class Router;
  using Write = std::function<log::RecordPosition(log::Append)>;
  MessageId put(const Mail& mail, const Write& write);

  std::unique_ptr<async::Shards> shards_;
  std::unique_ptr<async::BlockingPool> pool_;
  std::unique_ptr<ControlView> view_;
  std::unique_ptr<observe::Metrics> metrics_;
  observe::Health health_;
  std::unique_ptr<poison::Slots> poison_ = std::make_unique<poison::Slots>(2);
  std::unique_ptr<log::Producer> producer_;
  std::shared_ptr<Router> router_;
  std::unique_ptr<log::Group> router_group_;
  std::unique_ptr<Sender> role_;
};

}  // namespace godwit::sender
