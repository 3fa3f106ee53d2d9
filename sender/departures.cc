#include "sender/departures.h"

#include <algorithm>
#include <utility>

namespace godwit::sender {

namespace {

constexpr std::size_t kParkAtOnce = 256;
constexpr Duration kTryAgain = std::chrono::seconds{1};
constexpr std::chrono::seconds kLookAgain{
    5};  // at what a command holds while there is no room to park it

bool must_be_written(const std::vector<EventRecord>& events) {
  return std::ranges::any_of(events, [](const EventRecord& event) {
    // One that is held is not offered any more, and its row must say so.
    return event.type != v1::DEFERRED || event.held;
  });
}

}  // namespace

void Departures::leave(DeliveryPtr delivery, std::vector<EventRecord> events, bool parked) {
  if (parked && !take_room(*delivery)) return postpone(std::move(delivery), events);
  Departure departure{std::move(delivery), std::move(events), parked, {}, {}};
  if (settle(departure)) return;
  push(std::move(departure));
}

// Whoever waits here for content waits for a share of its memory: those behind must not hold one.
void Departures::push(Departure departure) {
  departure.delivery->drop_content();
  queue_.push_back(std::move(departure));
  life_.wake.parking.notify();
}

bool Departures::park_throttled(DeliveryPtr& delivery) {
  if (!take_room(*delivery)) return false;
  env_.metrics.throttled();
  delivery->record.head.set_throttled(true);
  delivery->record.head.set_due_unix_ms(to_unix_ms(env_.clock.now()));
  leave(std::move(delivery), {}, true);
  return true;
}

void Departures::suspend(DeliveryPtr delivery) {
  v1::Delivery& head = delivery->record.head;
  head.set_throttled(false);
  if (take_room(*delivery)) {
    env_.metrics.suspended();
    head.set_suspended(true);
    return leave(std::move(delivery), {}, true);
  }
  const Timestamp again = std::min(env_.clock.now() + kLookAgain, delivery->expires);
  if (!delivery->in_table()) {
    delivery->drop_content();
    return kept_.push(again, std::move(delivery));
  }
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  tally_.add(QueueTally::State::kParked, QueueTally::share_of(*delivery));
  parked_.postponed({again, delivery->id});
}

bool Departures::move(DeliveryPtr& delivery, log::PartitionId to) {
  const bool whole = delivery->record.content.parked();
  if (!delivery->room) {
    delivery->room = env_.spare_room.take(whole ? delivery->record.content.size() : 0);
    if (!delivery->room) return false;
  }
  push({std::move(delivery), {}, /*parked=*/false, to, {}});
  return true;
}

// May its parking be written, or is only the reserve left? A table that cannot be read counts as
// room: settle() finds out.
bool Departures::take_room(QueuedDelivery& delivery) {
  if (delivery.room) return true;
  const auto adds_content = journal_.adds_content(delivery);
  const bool whole = adds_content && *adds_content;
  delivery.room = env_.spare_room.take(whole ? delivery.record.content.size() : 0);
  return static_cast<bool>(delivery.room);
}

// Only the reserve is left, and it is for endings. A delivery of the window stays there and is
// tried again when it is due; one from the table is tried again from its row as it is. A deferral
// alone writes nothing: attempts may go on for days, and what they wrote would use up the reserve
// as well. Events that end or hold somebody are written, with who is left.
void Departures::postpone(DeliveryPtr delivery, const std::vector<EventRecord>& events) {
  const bool changes_row = must_be_written(events) || delivery->row_throttled;
  if (delivery->in_table()) {
    if (changes_row) return push({std::move(delivery), events, /*parked=*/true, {}, {}});
    env_.metrics.deferral_unwritten();
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
    tally_.add(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    parked_.postponed({from_unix_ms(delivery->record.head.due_unix_ms()), delivery->id});
    life_.wake.due.notify();
    return;
  }
  if (changes_row) {
    if (const auto added = journal_.add_state(*delivery, events); !added) {
      life_.set_problem("retries cannot be written: " + added.error().to_string());
    }
    if (journal_.size() == 1) life_.wake.commit.notify();
  } else if (!events.empty()) {
    env_.metrics.deferral_unwritten();
  }
  delivery->drop_content();
  const Timestamp until =
      std::min(from_unix_ms(delivery->record.head.due_unix_ms()), delivery->expires);
  kept_.push(until, std::move(delivery));
  life_.wake.due.notify();
}

std::vector<DeliveryPtr> Departures::take_kept(Timestamp until) {
  std::vector<DeliveryPtr> due = kept_.take_due(until);
  for (const DeliveryPtr& delivery : due) {
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  }
  return due;
}

void Departures::take_ended(EndedByDelivery& ended) {
  for (Departure& departure : std::exchange(queue_, {})) {
    if (departure.events.empty() || departure.events.front().type == v1::EXPIRED) continue;
    EndedAttempt attempt{std::move(departure.events), std::nullopt};
    const DeliveryId id = departure.delivery->id;
    if (departure.parked) attempt.left = std::move(departure.delivery->record);
    ended.insert_or_assign(id, std::move(attempt));
  }
}

void Departures::park_kept() {
  for (std::size_t i = 0; i < kParkAtOnce && !kept_.empty() && take_room(kept_.first()); ++i) {
    leave(kept_.pop(), {}, true);
  }
}

// True when the journal has it; false when its content has to be fetched first, or the table has
// failed.
bool Departures::settle(Departure& departure) {
  if (departure.to && !departure.record) return false;
  if (departure.parked) {
    const auto needed = journal_.needs_content(*departure.delivery);
    if (!needed || *needed) return false;
  }
  const QueueTally::Share share = QueueTally::share_of(*departure.delivery);
  const auto added = departure.record ? journal_.add_moved(departure.delivery, *departure.record)
                                      : journal_.add(departure.delivery, departure.events,
                                                     departure.parked ? Journal::After::kParked
                                                                      : Journal::After::kFinished);
  if (!added) {
    life_.set_problem("retries cannot be read: " + added.error().to_string());
    return false;
  }
  if (!departure.parked) tally_.remove(QueueTally::State::kWaiting, share);
  if (departure.parked) env_.metrics.parked();
  if (departure.record) env_.metrics.moved();
  if (journal_.size() == 1) life_.wake.commit.notify();
  return true;
}

// kNever: the delivery went to Dispatch::unreadable().
async::Task<Departures::Fetched> Departures::fetch(Departure& departure) {
  Result<void> loaded;
  if (departure.to) {
    auto record = co_await transfer_.record_of(*departure.delivery, *departure.to);
    if (record) {
      departure.record = *std::move(record);
    } else {
      loaded = fail(std::move(record).error());
    }
  } else {
    if (!departure.parked) co_return Fetched::kYes;
    const auto needed = journal_.needs_content(*departure.delivery);
    if (!needed || !*needed) co_return Fetched::kYes;
    loaded = co_await content_.load(*departure.delivery, Instant::max());
  }
  if (loaded) co_return Fetched::kYes;
  if (!is_lasting(loaded.error())) co_return Fetched::kLater;
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*departure.delivery));
  tally_.add(QueueTally::State::kActive, QueueTally::share_of(*departure.delivery));
  dispatch_.unreadable(std::move(departure.delivery), loaded.error());
  co_return Fetched::kNever;
}

async::Task<void> Departures::run() {
  while (!life_.lost()) {
    if (queue_.empty()) {
      if (life_.flushing()) break;
      co_await life_.wake.parking.wait();
      continue;
    }
    Departure departure = std::move(queue_.front());
    queue_.pop_front();
    const Fetched fetched = co_await fetch(departure);
    if (fetched == Fetched::kNever) continue;
    if (fetched == Fetched::kYes && settle(departure)) continue;
    departure.delivery->drop_content();
    queue_.push_front(std::move(departure));
    if (life_.flushing()) break;  // it stays in the log as it is, and is attempted again
    co_await life_.wake.parking.wait(env_.clock.instant() + kTryAgain);
  }
  life_.settle();
}

}  // namespace godwit::sender
