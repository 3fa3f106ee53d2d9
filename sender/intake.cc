#include "sender/intake.h"

#include <algorithm>
#include <utility>

#include "common/async/give_way.h"
#include "common/log/log.h"
#include "common/observe/log.h"
#include "common/record/keys.h"
#include "sender/decode_delivery.h"

namespace godwit::sender {

using log::Topic;

namespace {

constexpr observe::Logger kLog{"sender"};
constexpr std::size_t kTakeRecords = 64;
constexpr std::size_t kTakeBytes = 1u << 20;
constexpr Duration kLook = std::chrono::seconds{1};  // looks again at least this often

}  // namespace

Windows make_windows(const log::Ownership& ownership, const WindowConfig& config) {
  const Window::Limits limits{config.records, config.bytes};
  return {{ownership.committed(Topic::kOutboundUrgent), limits},
          {ownership.committed(Topic::kOutbound), limits}};
}

Intake::Intake(Environment& environment, log::Ownership& ownership, PartitionLife& life,
               Windows& windows, Journal& journal, LaneBook& lanes, Departures& departures,
               DeadRecords& dead, async::Gate& burials, Accept accept)
    : env_(environment),
      ownership_(ownership),
      life_(life),
      partition_(ownership.partition()),
      windows_(windows),
      journal_(journal),
      lanes_(lanes),
      departures_(departures),
      dead_(dead),
      burials_(burials),
      accept_(std::move(accept)) {}

void Intake::restore(const std::optional<v1::FinishedPositions>& finished,
                     std::map<std::string, record::Delivery> slots) {
  slot_states_ = std::move(slots);
  if (!finished) return;
  journal_.position_restored();
  for (const auto& topic : finished->topics()) {
    const auto named = static_cast<Topic>(topic.topic());
    if (named != Topic::kOutboundUrgent && named != Topic::kOutbound) continue;
    windows_.of(named).restore(topic);
  }
}

async::Task<void> Intake::run() {
  // Called on a thread of the log, perhaps when we are gone.
  const auto wake = [&shard = env_.shard, life = std::weak_ptr<PartitionLife*>(self_)] {
    shard.post([life] {
      if (const auto there = life.lock()) (*there)->wake.reading.notify();
    });
  };
  while (!life_.draining()) {
    // Urgent mail first, and again after each batch of the other.
    const bool took = take_from(Topic::kOutboundUrgent) || take_from(Topic::kOutbound);
    if (took) {
      co_await async::give_way();
      continue;
    }
    for (const bool urgent : {true, false}) relieve(urgent);
    bool full = false;
    for (const Topic topic : {Topic::kOutboundUrgent, Topic::kOutbound}) {
      if (windows_.of(topic).room()) {
        ownership_.reader(topic).when_ready(wake);
      } else {
        full = true;
      }
    }
    co_await life_.wake.reading.wait(
        env_.clock.instant() +
        (full ? std::min<Duration>(kLook, env_.config.window.patience) : kLook));
  }
}

bool Intake::take_from(Topic topic) {
  if (!windows_.of(topic).room()) return false;
  log::Reader& reader = ownership_.reader(topic);
  auto records = reader.take(kTakeRecords, kTakeBytes);
  if (!records) {
    if (records.error().code == log::Errc::kCorrupt) {
      skip_corrupt(reader, topic, records.error());
      return true;
    }
    if (records.error().code != log::Errc::kClosed) {
      life_.set_problem("outbound cannot be read: " + records.error().to_string());
    }
    return false;
  }
  for (const log::Record& record : *records) consume(topic, record);
  return !records->empty();
}

// Nobody can read it, now or later. It counts as held: the position goes past it with a note in
// `dead`.
void Intake::skip_corrupt(log::Reader& reader, Topic topic, const Error& error) {
  const log::Offset at = reader.next();
  kLog.error("a record of outbound is corrupt",
             {{"partition", partition_}, {"offset", at}, {"error", error}});
  if (windows_.of(topic).consume(at, 0)) {
    dead_.add_unread({topic, at}, error);
    life_.wake.commit.notify();
  }
  reader.skip_to(at + 1);
}

void Intake::consume(Topic topic, const log::Record& record) {
  const std::size_t bytes = record.value.size() + sizeof(QueuedDelivery);
  if (!windows_.of(topic).consume(record.offset, bytes)) return;
  env_.metrics.consumed();
  const WindowSlot slot{topic, record.offset};
  auto decoded = decode_delivery(env_, {{topic, partition_}, record.offset}, record.value);
  if (!decoded) {
    env_.shard.spawn(bury(slot, record.key, record.value, decoded.error()), burials_);
    return;
  }
  DeliveryPtr delivery = *std::move(decoded);
  delivery->slot = slot;
  if (!slot_states_.empty()) resume_state(*delivery);
  accept_(std::move(delivery));
}

// An owner before us ended some of its recipients and could not park the rest.
void Intake::resume_state(QueuedDelivery& delivery) {
  const auto state = slot_states_.find(
      record::slot_key(log::topic_name(delivery.slot->topic), delivery.slot->offset));
  if (state == slot_states_.end()) return;
  if (record::delivery_id(state->second) == delivery.id) {
    delivery.record.head = std::move(state->second.head);
    delivery.record.envelope = std::move(state->second.envelope);
  }
  journal_.state_restored(*delivery.slot);
  slot_states_.erase(state);
}

// Its slot is unfinished until then: the window bounds how many there are.
async::Task<void> Intake::bury(WindowSlot slot, std::string key, Rope value, Error error) {
  co_await dead_.add_undecoded(slot, std::move(key), std::move(value), std::move(error));
  life_.wake.commit.notify();
}

void Intake::relieve(bool urgent) {
  const Instant now = env_.clock.instant();
  Instant& full_since = urgent ? urgent_full_since_ : bulk_full_since_;
  if ((urgent ? windows_.urgent : windows_.bulk).room()) {
    full_since = Instant::max();
    return;
  }
  if (full_since == Instant::max()) full_since = now;
  if (now - full_since < env_.config.window.patience) return;
  LaneBook::Entry* fullest = lanes_.fullest(urgent);
  const std::size_t share = env_.config.window.lane_share;
  if (fullest == nullptr || fullest->lane->waiting(urgent) <= share) return;
  std::size_t parked = 0;
  while (fullest->lane->waiting(urgent) > share) {
    DeliveryPtr youngest = fullest->lane->pop_youngest(urgent);
    if (!departures_.park_throttled(youngest)) {  // only the reserve is left: it stays
      fullest->lane->push(std::move(youngest));
      break;
    }
    ++parked;
  }
  if (parked == 0) return;
  lanes_.set_backlog(*fullest, urgent, true);
  kLog.info("mail is parked behind a slow lane", {{"site", fullest->lane->id().site.text()},
                                                  {"pool", fullest->lane->id().pool.text()},
                                                  {"deliveries", parked}});
}

}  // namespace godwit::sender
