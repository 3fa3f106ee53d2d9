#include "tests/simulation/customer.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/log/by_message.h"
#include "common/record/body.h"
#include "common/record/records.h"
#include "tests/simulation/mail_hosts.h"

namespace godwit::simulation {

using namespace std::chrono_literals;

Customer::Customer(Cluster& cluster, std::chrono::milliseconds age)
    : cluster_(cluster),
      age_(age),
      process_(cluster, "customer", 0, disk_),
      log_(process_),
      producer_(log_.producer()) {
  process_.losses_percent = 3;
}

void Customer::send(Duration within) {
  cluster_.world.after(cluster_.world.between(0ms, within), [this] { hand_in(); });
}

struct Customer::Mail {
  std::uint64_t number = 0;
  record::Message message;
  Rope body;  // to go to `bodies` first; empty: it is inline
  std::vector<std::pair<std::string, Laws::Promise>> promises;

  [[nodiscard]] std::string key() const { return std::string(message.message_id().octets()); }
};

void Customer::hand_in() {
  World& world = cluster_.world;
  const MessageId id = MessageId::generate(world.clock(), world.random());
  const Timestamp now = world.clock().now();
  auto mail = std::make_shared<Mail>();
  mail->number = ++sent_;
  const bool urgent = world.chance(30);
  // Times seven domains it is more than the router lets deliveries carry.
  const bool large = world.chance(2);
  std::string content = fmt::format("Subject: {}\r\n\r\nHello\r\n", mail->number);
  while (large && content.size() < 160'000) content += std::string(70, 'x') + "\r\n";

  record::Message& message = mail->message;
  message.head.set_version(1);
  message.head.set_message_id(std::string(id.octets()));
  message.head.set_accepted_unix_ms(to_unix_ms(now));
  message.head.set_tenant(world.chance(35) ? "careful" : "default");
  message.head.set_class_(urgent ? v1::URGENT : v1::BULK);
  if (world.chance(10)) message.head.set_due_unix_ms(to_unix_ms(now + 45s));
  const Timestamp expires = now + age_;
  message.envelope.set_sender("sender@customer.example");
  const auto octets = std::make_shared<const std::string>(content);
  const std::uint64_t recipients = large ? MailHosts::kDomains : 1 + world.random().below(3);
  const std::size_t one_domain = world.random().below(MailHosts::kDomains);
  for (std::uint32_t i = 0; i < recipients; ++i) {
    // Often of one domain: a delivery has several recipients then.
    const std::size_t domain = large              ? i
                               : world.chance(60) ? one_domain
                                                  : world.random().below(MailHosts::kDomains);
    auto* recipient = message.envelope.add_recipients();
    recipient->set_index(i);
    recipient->set_address(fmt::format("m{}r{}@{}", mail->number, i, MailHosts::domain(domain)));
    mail->promises.push_back({recipient->address(), {{id, i}, expires, octets}});
  }
  message.head.set_total(static_cast<std::uint32_t>(recipients));
  message.content.set_size(content.size());
  message.content.set_size_unstuffed(content.size());
  message.content.set_crc32c(crc32c(content));
  message.content.set_dot_stuffed(true);
  if (!large && world.chance(25)) {
    mail->body = Rope(Bytes::copy_of(content));
    return put_body(std::move(mail));
  }
  message.data = Rope(Bytes::copy_of(content));
  put_message(mail);
}

// In one to three chunks; acknowledged before the record that names it.
void Customer::put_body(std::shared_ptr<Mail> mail) {
  const std::size_t chunks = 1 + cluster_.world.random().below(3);
  const std::size_t size = (mail->body.size() + chunks - 1) / chunks;
  const log::TopicPartition where{
      log::Topic::kBodies, log::partition_of(mail->message.message_id(),
                                             cluster_.brokers.partitions(log::Topic::kBodies))};
  std::vector<log::Append> records;
  for (std::size_t at = 0; at < mail->body.size(); at += size) {
    records.push_back({where, mail->key(), mail->body.slice(at, size), {}});
  }
  producer_->append(std::move(records),
                    [this, mail = std::move(mail), where](const Result<log::Written>& written) {
                      if (!written) return cluster_.world.say("customer", "no body: 451");
                      *mail->message.content.mutable_body() =
                          record::refer_to_body(where.partition, written->offsets);
                      put_message(mail);
                    });
}

void Customer::put_message(const std::shared_ptr<Mail>& mail) {
  const bool urgent = mail->message.head.class_() == v1::URGENT;
  const log::Topic topic = urgent ? log::Topic::kAcceptedUrgent : log::Topic::kAccepted;
  const log::PartitionId partition =
      log::partition_of(mail->message.message_id(), cluster_.brokers.partitions(topic));
  auto encoded = record::encode(mail->message);
  CHECK(encoded.has_value(), "{}", encoded.error().to_string());
  std::vector<log::Append> records;
  records.push_back({{topic, partition}, mail->key(), *std::move(encoded), {}});
  producer_->append(std::move(records), [this, mail](const Result<log::Written>& written) {
    cluster_.world.say("customer",
                       fmt::format("m{}: {}", mail->number, written ? "accepted" : "451"));
    if (!written) return;
    for (const auto& [address, promise] : mail->promises) cluster_.laws.accepted(address, promise);
  });
}

}  // namespace godwit::simulation
