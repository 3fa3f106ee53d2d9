#include "tests/simulation/customer.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/log/by_message.h"
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

void Customer::hand_in() {
  World& world = cluster_.world;
  const MessageId id = MessageId::generate(world.clock(), world.random());
  const Timestamp now = world.clock().now();
  const std::uint64_t number = ++sent_;
  const bool urgent = world.chance(30);
  const std::string content = fmt::format("Subject: {}\r\n\r\nHello\r\n", number);

  record::Message message;
  message.head.set_version(1);
  message.head.set_message_id(std::string(id.octets()));
  message.head.set_accepted_unix_ms(to_unix_ms(now));
  message.head.set_tenant("default");
  message.head.set_class_(urgent ? v1::URGENT : v1::BULK);
  if (world.chance(10)) message.head.set_due_unix_ms(to_unix_ms(now + 45s));
  const Timestamp expires = now + age_;
  message.envelope.set_sender("sender@customer.example");
  std::vector<std::pair<std::string, Laws::Promise>> promises;
  const std::uint64_t recipients = 1 + world.random().below(3);
  const std::size_t one_domain = world.random().below(MailHosts::kDomains);
  for (std::uint32_t i = 0; i < recipients; ++i) {
    // Often of one domain: a delivery has several recipients then.
    const std::size_t domain =
        world.chance(60) ? one_domain : world.random().below(MailHosts::kDomains);
    auto* recipient = message.envelope.add_recipients();
    recipient->set_index(i);
    recipient->set_address(fmt::format("m{}r{}@{}", number, i, MailHosts::domain(domain)));
    promises.push_back({recipient->address(), {{id, i}, expires}});
  }
  message.head.set_total(static_cast<std::uint32_t>(recipients));
  message.data = Rope(Bytes::copy_of(content));
  message.content.set_size(content.size());
  message.content.set_size_unstuffed(content.size());
  message.content.set_crc32c(crc32c(content));
  message.content.set_dot_stuffed(true);

  const log::Topic topic = urgent ? log::Topic::kAcceptedUrgent : log::Topic::kAccepted;
  const log::PartitionId partition = log::partition_of(id, cluster_.brokers.partitions(topic));
  auto encoded = record::encode(message);
  CHECK(encoded.has_value(), "{}", encoded.error().to_string());
  std::vector<log::Append> records;
  records.push_back({{topic, partition}, std::string(id.octets()), *std::move(encoded), {}});
  producer_->append(std::move(records), [this, number, promises = std::move(promises)](
                                            const Result<log::Written>& written) {
    cluster_.world.say("customer", fmt::format("m{}: {}", number, written ? "accepted" : "451"));
    if (!written) return;
    for (const auto& [address, promise] : promises) cluster_.laws.accepted(address, promise);
  });
}

}  // namespace godwit::simulation
