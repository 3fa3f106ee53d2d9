#include "common/admin/dead_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "common/accounting/content_place.h"
#include "common/admin/errc.h"
#include "common/admin/waiting.h"
#include "common/audit/salvage.h"
#include "common/log/by_message.h"
#include "common/record/body.h"
#include "common/record/keys.h"

namespace godwit::admin {
namespace {

using log::Topic;

constexpr std::chrono::seconds kPatience{20};

Topic topic_of(const record::Dead& dead) {
  const std::uint32_t number = dead.head.topic();
  return number == 0 || number > log::kTopicMax ? Topic::kDead : static_cast<Topic>(number);
}

bool is_accepted(Topic topic) {
  return topic == Topic::kAccepted || topic == Topic::kAcceptedUrgent;
}
bool is_delivery(Topic topic) {
  return topic == Topic::kOutbound || topic == Topic::kOutboundUrgent || topic == Topic::kRetries;
}

// Whom a record is about: what an ending needs to know.
struct Holding {
  std::optional<MessageId> message;
  std::vector<record::Event> endings;  // one for each recipient
  bool told = false;                   // all its recipients are in `endings`
};

record::Event ending_of(const MessageId& message, std::uint32_t index, std::uint32_t attempt) {
  record::Event event;
  event.head.set_version(record::kVersion);
  event.head.set_type(v1::CANCELLED);
  event.head.set_message_id(std::string(message.octets()));
  event.head.set_index(index);
  event.head.set_attempt(attempt);
  return event;
}

template <class Carrier>
void add_endings(const Carrier& carrier, std::uint32_t attempt, Holding& holding) {
  holding.message = carrier.message_id();
  for (const v1::Recipient& recipient : carrier.envelope.recipients()) {
    record::Event event = ending_of(carrier.message_id(), recipient.index(), attempt);
    event.head.set_tenant(carrier.head.tenant());
    event.head.set_size(carrier.content.size_unstuffed());
    event.head.set_queued_ms(carrier.head.accepted_unix_ms());  // made a length when it is written
    event.addresses.set_sender(carrier.envelope.sender());
    event.addresses.set_recipient(recipient.address());
    holding.endings.push_back(std::move(event));
  }
  holding.told = true;
}

Holding holding_of(const record::Dead& dead) {
  Holding holding;
  const Topic topic = topic_of(dead);
  if (!is_accepted(topic) && !is_delivery(topic)) {
    holding.told = true;  // nobody's
    return holding;
  }
  // What killed the process is read as little as possible: this is a process too.
  if (dead.head.crashes() == 0 && is_accepted(topic)) {
    if (const auto message = record::decode_message(dead.value)) add_endings(*message, 0, holding);
  } else if (dead.head.crashes() == 0) {
    if (const auto delivery = record::decode_delivery(dead.value)) {
      add_endings(*delivery, delivery->head.attempts(), holding);
      for (record::Event& event : holding.endings) {
        event.head.set_site(delivery->head.site());
        event.head.set_pool(delivery->head.pool());
        event.head.set_delivery_index(delivery->head.index());
      }
    }
  }
  if (holding.told) return holding;
  const Bytes octets = dead.value.flatten();
  const audit::Salvaged salvaged = audit::salvage(octets.view());
  holding.message = salvaged.message;
  if (!salvaged.message) return holding;
  for (const std::uint32_t index : salvaged.recipients)
    holding.endings.push_back(ending_of(*salvaged.message, index, 0));
  holding.told = !holding.endings.empty();
  return holding;
}

// What `ctl log repair` set aside says by its keys alone that it has parts: repair/<segment>/<position>/<part>.
constexpr std::string_view kRepairPrefix = "repair/";
Result<void> add_later_octets(const log::SharedTable& table, std::string_view key,
                              std::vector<log::TableChange>& tombstones) {
  const std::string_view stem = key.substr(0, key.rfind('/') + 1);
  const std::string after = std::string(stem) + "\x7f";
  return table.local().scan(
      std::string(key) + '\0', after, [&](std::string_view part, std::string_view) {
        tombstones.push_back({{Topic::kDead, 0}, std::string(part), std::nullopt});
        return true;
      });
}

Topic outbound_of(const record::Delivery& delivery) {
  return delivery.head.class_() == v1::URGENT ? Topic::kOutboundUrgent : Topic::kOutbound;
}

}  // namespace

DeadDesk::DeadDesk(log::Log& log, const Clock& clock, std::string node)
    : log_(log), clock_(clock), node_(std::move(node)), producer_(log.producer()) {}

Result<log::SharedTable*> DeadDesk::table() {
  if (!table_) {
    TRY(table_, log_.shared_table(Topic::kDead));
  }
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!table_->caught_up()) {
    if (std::chrono::steady_clock::now() > until)
      return fail(Errc::kDeadline, "the table dead is still being read");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return table_.get();
}

Result<DeadDesk::Held> DeadDesk::take(std::string_view key) {
  TRY(log::SharedTable * table, this->table());
  Held held;
  std::uint32_t parts = 1;
  for (std::uint32_t part = 0; part < parts; ++part) {
    const std::string name = part == 0 ? std::string(key) : fmt::format("{}/{}", key, part);
    TRY(auto value, table->local().get(name));
    if (!value) {
      return fail(Errc::kInvalid, part == 0 ? fmt::format("there is no {} in dead", key)
                                            : fmt::format("part {} of {} is not there", part, key));
    }
    TRY(record::Dead piece, record::decode_dead(Rope(Bytes::adopt(*std::move(value)))));
    if (piece.head.part() != part)
      return fail(Errc::kInvalid, fmt::format("{} is a part of another record", key));
    held.tombstones.push_back({{Topic::kDead, piece.head.partition()}, name, std::nullopt});
    if (part == 0) {
      parts = std::max(1U, piece.head.parts());
      held.dead = std::move(piece);
    } else {
      held.dead.value.append(piece.value);
    }
  }
  if (key.starts_with(kRepairPrefix)) TRY_VOID(add_later_octets(*table, key, held.tombstones));
  // Octets of the log itself came from no partition.
  for (log::TableChange& change : held.tombstones) {
    if (change.where.partition >= log_.partitions(Topic::kDead)) change.where.partition = 0;
  }
  return held;
}

Result<DeadDetails> DeadDesk::show(std::string_view key) {
  const std::lock_guard lock(mutex_);
  TRY(const Held held, take(key));
  const v1::DeadRecord& head = held.dead.head;
  const Holding holding = holding_of(held.dead);
  DeadDetails details{.row = {.key = std::string(key),
                              .topic = topic_of(held.dead),
                              .partition = head.partition(),
                              .offset = head.offset(),
                              .time = from_unix_ms(head.time_unix_ms()),
                              .role = head.role(),
                              .cause = head.cause(),
                              .crashes = head.crashes(),
                              .size = held.dead.value.size(),
                              .recipients = holding.endings.size()},
                      .head = held.dead.value.slice(0, kHeadBytes).to_string(),
                      .parts = static_cast<std::uint32_t>(held.tombstones.size())};
  if (holding.message) details.message_id = holding.message->to_text();
  for (const record::Event& event : holding.endings) {
    details.sender = event.addresses.sender();
    details.recipients.push_back(event.addresses.recipient().empty()
                                     ? RecipientId{*holding.message, event.head.index()}.to_text()
                                     : event.addresses.recipient());
  }
  return details;
}

Result<DeadRetried> DeadDesk::retry(std::string_view key) {
  const std::lock_guard lock(mutex_);
  TRY(Held held, take(key));
  TRY(log::Append append, append_of(held.dead));
  const log::TopicPartition where = append.where;
  std::vector<log::Append> appends;
  appends.push_back(std::move(append));
  TRY(const log::Written written, write(std::move(appends), std::move(held.tombstones)));
  return DeadRetried{{where, written.offsets.empty() ? 0 : written.offsets.back()}};
}

Result<log::Append> DeadDesk::append_of(const record::Dead& dead) {
  const Topic topic = topic_of(dead);
  if (topic == Topic::kRetries) return append_parked(dead);
  if (log::is_table(topic)) {
    return fail(Errc::kInvalid, "it came from no topic: it can only be dropped");
  }
  const log::TopicPartition where{topic, dead.head.partition()};
  if (where.partition >= log_.partitions(topic))
    return fail(Errc::kInvalid, fmt::format("{} has no partition {} any more",
                                            log::topic_name(topic), where.partition));
  log::Append append{.where = where, .key = dead.head.key(), .value = dead.value, .refers_to = {}};
  const bool fits = append.key.size() + append.value.size() <= log::kRecordBytesMax;
  if (fits && dead.head.crashes() > 0) return append;  // not read here: see holding_of()
  if (is_delivery(topic)) {
    auto delivery = record::decode_delivery(dead.value);
    if (delivery && !fits) {
      TRY_VOID(move_content(*delivery));
      TRY(append.value, record::encode(*delivery));
    }
    if (delivery && log_.reads_by_position())
      append.refers_to = accounting::content_place(delivery->content);
  } else if (!fits && is_accepted(topic)) {
    auto message = record::decode_message(dead.value);
    if (message) {
      TRY_VOID(move_content(*message));
      TRY(append.value, record::encode(*message));
      if (log_.reads_by_position()) append.refers_to = accounting::content_place(message->content);
    }
  }
  if (append.key.size() + append.value.size() > log::kRecordBytesMax)
    return fail(Errc::kInvalid,
                "it does not fit into a record, and its content cannot be taken out");
  return append;
}

// `retries` belongs to the owner of the partition: what was parked there comes to it through `outbound`, as a transfer.
Result<log::Append> DeadDesk::append_parked(const record::Dead& dead) {
  auto delivery = record::decode_delivery(dead.value);
  if (!delivery)
    return fail(Errc::kInvalid, "a parked delivery that cannot be decoded (" +
                                    delivery.error().to_string() +
                                    "): try again with a newer version, or drop it");
  const std::string key =
      record::lane_key({SiteName(delivery->head.site()), PoolName(delivery->head.pool())})
          .substr(record::kLanePrefix.size());
  constexpr std::size_t kRoom = log::kRecordBytesMax - 64 * 1024;
  if (dead.value.size() + key.size() > kRoom) TRY_VOID(move_content(*delivery));
  TRY(Rope value, record::encode(*delivery));
  log::Append append{.where = {outbound_of(*delivery), dead.head.partition()},
                     .key = key,
                     .value = std::move(value),
                     .refers_to = {}};
  if (log_.reads_by_position()) append.refers_to = accounting::content_place(delivery->content);
  return append;
}

// Content that is inline goes to `bodies`; it is there before the record that names it.
template <class Carrier>
Result<void> DeadDesk::move_content(Carrier& carrier) {
  if (carrier.data.empty()) return {};
  const MessageId id = carrier.message_id();
  const log::PartitionId partitions = log_.partitions(Topic::kBodies);
  std::vector<log::Append> chunks = log::body_of(id, carrier.data, partitions);
  TRY(const log::Written written,
      await_log([&](log::WriteDone done) { producer_->append(std::move(chunks), std::move(done)); },
                kPatience));
  *carrier.content.mutable_body() =
      record::refer_to_body(log::partition_of(id, partitions), written.offsets);
  carrier.data = {};
  return {};
}

Result<DeadDropped> DeadDesk::drop(std::string_view key, std::string_view actor, bool force) {
  const std::lock_guard lock(mutex_);
  TRY(Held held, take(key));
  Holding holding = holding_of(held.dead);
  if (!holding.told && !force) {
    return fail(Errc::kRefused,
                fmt::format("whose mail {} is cannot be read from it; dropped all the same "
                            "(--force), the audit will name its recipients as missing",
                            key));
  }
  const std::int64_t now = to_unix_ms(clock_.now());
  std::vector<log::Append> appends;
  for (record::Event& event : holding.endings) {
    event.head.set_time_unix_ms(now);
    event.head.set_node(node_);
    if (event.head.queued_ms() != 0) event.head.set_queued_ms(now - event.head.queued_ms());
    event.head.mutable_reply()->set_text(
        fmt::format("dropped from dead by {}: {}", actor, held.dead.head.cause()).substr(0, 1024));
    TRY(Rope value, record::encode(event));
    appends.push_back(
        {.where = {Topic::kEvents,
                   log::partition_of(*holding.message, log_.partitions(Topic::kEvents))},
         .key = std::string(holding.message->octets()),
         .value = std::move(value),
         .refers_to = {}});
  }
  const std::uint64_t cancelled = appends.size();
  TRY_VOID(write(std::move(appends), std::move(held.tombstones)));
  return DeadDropped{cancelled};
}

Result<log::Written> DeadDesk::write(std::vector<log::Append> appends,
                                     std::vector<log::TableChange> tombstones) {
  TRY(log::SharedTable * table, this->table());
  return await_log(
      [&](log::WriteDone done) {
        table->change_and_append(std::move(tombstones), std::move(appends), std::move(done));
      },
      kPatience);
}

}  // namespace godwit::admin
