#include "sender/fake_mail_system.h"

#include <fmt/format.h>

#include <atomic>
#include <future>
#include <map>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/test_eventually.h"
#include "common/log/by_message.h"
#include "common/record/body.h"
#include "common/record/event_view.h"
#include "common/record/keys.h"

namespace godwit::sender {

class FakeMailSystem::ControlView final : public control::View {
 public:
  [[nodiscard]] control::SnapshotPtr current() const override { return current_.load(); }
  void set(control::SnapshotPtr snapshot) { current_.store(std::move(snapshot)); }

 private:
  std::atomic<control::SnapshotPtr> current_;
};

FakeMailSystem::FakeMailSystem(log::PartitionId partitions)
    : log(system_clock(), partitions),
      shards_(std::make_unique<async::Shards>(2)),
      pool_(std::make_unique<async::BlockingPool>("pool", 2, 1000)),
      view_(std::make_unique<ControlView>()),
      producer_(log.producer()) {
  control.tenants["acme"].name = TenantName("acme");
  control.sources["default"].name = SourceName("default");
  control.pools["default"] = {PoolName("default"), {{SourceName("default"), 1}}};
  // Short, so that a test need not wait; what is to be long is said by the test.
  config.commit_interval = std::chrono::milliseconds(20);
  config.retry.first = std::chrono::hours(1);
  config.timeouts.quit = std::chrono::milliseconds(200);
  shards_->start();
}

FakeMailSystem::~FakeMailSystem() {
  log.release();  // a test that ended early may have left writes held, and a commit waits for its answer
  if (role_) stop();
  if (router_group_) router_group_->stop(std::chrono::seconds(1));
  shards_->stop();
  pool_->stop();
}

void FakeMailSystem::publish() {
  auto snapshot = std::make_shared<control::Snapshot>(control);
  snapshot->version = ++control.version;
  snapshot->index();
  view_->set(std::move(snapshot));
}

void FakeMailSystem::route_all_to(std::uint16_t port) {
  config.routes = {{.domain = "*", .to = fmt::format("127.0.0.1:{}", port)}};
}

void FakeMailSystem::start() {
  publish();
  metrics_ = std::make_unique<observe::Metrics>();
  const role::RoleContext context{*shards_, *pool_,         log,       *view_,
                                  dns,      system_clock(), *metrics_, health_,
                                  *poison_, "node.example", {},        net::tcp_connector(),
                                  commands};
  role_ = make_sender(context, config, capture);
  const auto started = role_->start();
  CHECK(started.has_value(), "{}", started.error().to_string());
  if (!commands.problem().empty()) return;  // it is not ready before
  CHECK(eventually([&] { return role_->problem().empty(); }), "{}", role_->problem());
}

void FakeMailSystem::drain(Duration bound) {
  role_->drain(system_clock().instant() + bound);
}

void FakeMailSystem::stop(Duration bound) {
  drain(bound);
  role_->stop();
  role_.reset();
}

// Owns partitions of `accepted`, as a router does, to write by its commits.
class FakeMailSystem::Router final : public log::GroupListener {
 public:
  void assigned(std::shared_ptr<log::Ownership> ownership) override {
    owned_[ownership->partition()] = std::move(ownership);
  }
  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override {
    owned_.erase(partition);
    released();
  }
  void lost(log::PartitionId partition) override { owned_.erase(partition); }
  void commit(log::Append record) {
    const auto owner = owned_.at(record.where.partition);
    log::Batch batch;
    batch.appends.push_back(std::move(record));
    owner->commit(std::move(batch), [](Result<log::Written>) {});
  }

 private:
  std::map<log::PartitionId, std::shared_ptr<log::Ownership>> owned_;
};

MessageId FakeMailSystem::put(const Mail& mail) {
  return put(mail, [this](log::Append record) {
    const log::TopicPartition where = record.where;
    std::promise<Result<log::Written>> written;
    std::vector<log::Append> records;
    records.push_back(std::move(record));
    producer_->append(std::move(records),
                      [&](Result<log::Written> result) { written.set_value(std::move(result)); });
    Result<log::Written> result = written.get_future().get();
    CHECK(result.has_value(), "{}", result.error().to_string());
    return log::RecordPosition{where, result->offsets.at(0)};
  });
}

MessageId FakeMailSystem::put_unsynced(const Mail& mail) {
  if (!router_) {
    router_ = std::make_shared<Router>();
    router_group_ =
        log.join({.name = "router", .subscribed = log::Topic::kAccepted}, router_).value();
  }
  return put(mail, [this](log::Append record) {
    const log::TopicPartition where = record.where;
    const auto offset = static_cast<log::Offset>(log.records(where).size());
    router_->commit(std::move(record));
    return log::RecordPosition{where, offset};
  });
}

void FakeMailSystem::put_octets(std::string_view octets) {
  std::vector<log::Append> records;
  records.push_back({{log::Topic::kOutbound, 0}, "key", Rope(Bytes::copy_of(octets)), {}});
  producer_->append(std::move(records), [](Result<log::Written>) {});
}

void FakeMailSystem::put_copy(const MessageId& of, std::uint32_t index, const std::string& domain) {
  for (const log::Record& record : log.records(log::Topic::kOutbound)) {
    auto delivery = record::decode_delivery(record.value).value();
    if (delivery.message_id() != of) continue;
    delivery.head.set_index(index);
    delivery.head.set_site(domain);
    delivery.head.set_domain(domain);
    delivery.envelope.mutable_recipients()->DeleteSubrange(1,
                                                           delivery.envelope.recipients_size() - 1);
    delivery.envelope.mutable_recipients(0)->set_index(index);
    delivery.envelope.mutable_recipients(0)->set_address("one@" + domain);
    return put_octets(record::encode(delivery).value().to_string());
  }
  CHECK(false, "{} is not in outbound", of.to_text());
}

MessageId FakeMailSystem::put(const Mail& mail, const Write& write) {
  const MessageId id = MessageId::generate(system_clock(), system_random());
  const Timestamp now = system_clock().now();
  record::Message message;
  message.head.set_version(1);
  message.head.set_message_id(std::string(id.octets()));
  message.head.set_accepted_unix_ms(to_unix_ms(now));
  message.head.set_tenant(mail.tenant);
  message.envelope.set_sender("sender@acme.example");
  for (std::size_t i = 0; i < mail.recipients.size(); ++i) {
    auto* recipient = message.envelope.add_recipients();
    recipient->set_index(static_cast<std::uint32_t>(i));
    recipient->set_address(mail.recipients[i] + "@" + mail.domain);
  }
  message.head.set_total(static_cast<std::uint32_t>(mail.recipients.size()));
  message.data = Rope(Bytes::copy_of(mail.content));
  message.content.set_size(mail.content.size());
  message.content.set_size_unstuffed(mail.content.size());
  message.content.set_crc32c(crc32c(mail.content) + (mail.wrong_checksum ? 1 : 0));
  message.content.set_dot_stuffed(true);
  message.content.set_has_8bit(mail.has_8bit);

  record::Delivery delivery;
  delivery.head.set_version(1);
  delivery.head.set_message_id(std::string(id.octets()));
  delivery.head.set_tenant(mail.tenant);
  for (const std::string& tag : mail.tags) delivery.head.add_tags(tag);
  delivery.head.set_class_(mail.urgent ? v1::URGENT : v1::BULK);
  delivery.head.set_pool("default");
  delivery.head.set_site(mail.site.empty() ? mail.domain : mail.site);
  delivery.head.set_domain(mail.domain);
  delivery.head.set_accepted_unix_ms(to_unix_ms(now));
  delivery.head.set_smtputf8(mail.smtputf8);
  if (mail.due_in.count() > 0) delivery.head.set_due_unix_ms(to_unix_ms(now + mail.due_in));
  if (mail.expires_in.count() != 0) {
    delivery.head.set_expires_unix_ms(to_unix_ms(now + mail.expires_in));
  }
  delivery.envelope = message.envelope;
  delivery.content = message.content;

  const auto append = [&](log::TopicPartition where, Rope value,
                          std::optional<log::RecordPosition> refers_to) {
    return write({where, std::string(id.octets()), std::move(value), refers_to});
  };
  if (mail.in_bodies) {
    std::vector<log::Offset> chunks;
    for (log::Append& chunk : log::body_of(id, message.data, 1)) {
      chunk.where.partition = mail.partition;
      chunks.push_back(write(std::move(chunk)).offset);
    }
    *delivery.content.mutable_body() = record::refer_to_body(mail.partition, chunks);
    append({mail.urgent ? log::Topic::kOutboundUrgent : log::Topic::kOutbound, mail.partition},
           record::encode(delivery).value(),
           log::RecordPosition{{log::Topic::kBodies, mail.partition}, chunks.front()});
    return id;
  }
  const auto accepted =
      append({log::Topic::kAccepted, mail.partition}, record::encode(message).value(), {});
  auto* position = delivery.content.mutable_position();
  position->set_topic(static_cast<std::uint32_t>(accepted.where.topic));
  position->set_partition(accepted.where.partition);
  position->set_offset(accepted.offset);
  append({mail.urgent ? log::Topic::kOutboundUrgent : log::Topic::kOutbound, mail.partition},
         record::encode(delivery).value(), accepted);
  return id;
}

std::vector<record::Event> FakeMailSystem::events() const {
  std::vector<record::Event> events;
  for (const log::Record& record : log.records(log::Topic::kEvents)) {
    events.push_back(record::decode_event(record.value).value());
  }
  return events;
}

std::vector<std::string> FakeMailSystem::story() const {
  std::vector<std::string> lines;
  for (const record::Event& event : events()) {
    lines.push_back(fmt::format(
        "{} {} {} {}{}", record::event_type_name(event.head.type()), event.addresses.recipient(),
        event.head.reply().code(), event.head.reply().command(),
        event.head.outcome() == v1::Event::OUTCOME_UNKNOWN ? " unknown" : ""));
  }
  return lines;
}

std::size_t FakeMailSystem::count(v1::EventType type) const {
  std::size_t count = 0;
  for (const record::Event& event : events()) count += event.head.type() == type ? 1 : 0;
  return count;
}

std::map<std::string, std::string> FakeMailSystem::retries(log::PartitionId partition) const {
  auto rows = log.rows({log::Topic::kRetries, partition});
  rows.erase(std::string(record::kOwnerKey));
  return rows;
}

std::vector<v1::Delivery> FakeMailSystem::parked(log::PartitionId partition) const {
  std::vector<v1::Delivery> deliveries;
  for (const auto& [key, value] : log.rows({log::Topic::kRetries, partition})) {
    if (key.starts_with("d/"))
      deliveries.push_back(record::decode_delivery(Rope(Bytes::copy_of(value))).value().head);
  }
  return deliveries;
}

log::Offset FakeMailSystem::committed(log::Topic topic, log::PartitionId partition) {
  return log.committed("sender", {topic, partition}).value_or(-1);
}

double FakeMailSystem::metric(std::string_view name) const {
  const std::string text = "\n" + metrics_->text();
  const std::size_t at = text.find(fmt::format("\n{} ", name));
  return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
}

bool FakeMailSystem::eventually(const std::function<bool()>& so, std::chrono::seconds limit) {
  return godwit::eventually(so, limit);
}

}  // namespace godwit::sender
