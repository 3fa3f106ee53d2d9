#include "sender/dead_records.h"

#include <utility>

#include "common/observe/log.h"
#include "common/poison/errc.h"
#include "common/poison/slots.h"
#include "common/poison/whole_record.h"
#include "common/record/keys.h"

namespace godwit::sender {

namespace {

constexpr observe::Logger kLog{"sender"};

// The delivery as a record, with its content when that is in memory: what it refers to is freed
// once nobody has to read it any more.
Rope whole(const QueuedDelivery& delivery) {
  record::Delivery record = delivery.record;
  if (!delivery.content.empty()) {
    record.content.clear_position();
    record.content.clear_body();
    record.content.clear_parked();
    record.data = delivery.content;
  }
  auto encoded = record::encode(record);
  return encoded ? *std::move(encoded) : Rope();
}

}  // namespace

record::Dead DeadRecords::dead_record(const log::RecordPosition& from, std::string key,
                                      const Rope& value, const Error& error) const {
  record::Dead dead;
  dead.head.set_version(record::kVersion);
  dead.head.set_topic(static_cast<std::uint32_t>(from.where.topic));
  dead.head.set_partition(from.where.partition);
  dead.head.set_offset(from.offset);
  dead.head.set_time_unix_ms(to_unix_ms(env_.clock.now()));
  dead.head.set_cause(error.to_string());
  dead.head.set_role("sender");
  if (error.code == poison::Errc::kInHand) dead.head.set_crashes(poison::kCrashesMax);
  dead.head.set_key(std::move(key));
  dead.value = value;
  return dead;
}

void DeadRecords::add(WindowSlot slot, std::string key, const Rope& value, const Error& error) {
  const log::RecordPosition from{{slot.topic, partition_}, slot.offset};
  journal_.add_dead(slot, dead_record(from, std::move(key), value, error));
  env_.metrics.dead();
  kLog.error("a record goes to dead", {{"topic", log::topic_name(slot.topic)},
                                       {"partition", partition_},
                                       {"offset", slot.offset},
                                       {"error", error}});
}

async::Task<void> DeadRecords::add_undecoded(WindowSlot slot, std::string key, Rope value,
                                             Error error) {
  const log::RecordPosition place{{slot.topic, partition_}, slot.offset};
  const Rope whole = co_await poison::whole_record(env_.log, env_.hand, place, std::move(value),
                                                   content_bytes_max_);
  add(slot, std::move(key), whole, error);
}

Result<void> DeadRecords::add(DeliveryPtr& delivery, const Error& error) {
  const Rope value = whole(*delivery);
  if (delivery->slot) {
    add(*delivery->slot, record::lane_key(delivery->lane()).substr(record::kLanePrefix.size()),
        value, error);
    delivery.reset();
    return {};
  }
  const DeliveryId id = delivery->id;
  TRY_VOID(journal_.add_dead(delivery, dead_record({{log::Topic::kRetries, partition_}, 0},
                                                   record::delivery_key(id), value, error)));
  env_.metrics.dead();
  kLog.error("a parked delivery goes to dead", {{"delivery", id.to_text()}, {"error", error}});
  return {};
}

}  // namespace godwit::sender
