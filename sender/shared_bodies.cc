#include "sender/shared_bodies.h"

#include "common/base/crc32c.h"

namespace godwit::sender {

SharedBodies::BodyPtr SharedBodies::find(Key key) const {
  const auto at = entries_.find(key);
  return at == entries_.end() ? nullptr : at->second.body.lock();
}

std::optional<SharedBodies::Reading> SharedBodies::begin(Key key) {
  Entry& entry = entries_[key];
  if (std::exchange(entry.reading, true)) return std::nullopt;
  return std::optional<Reading>(std::in_place, *this, key);
}

SharedBodies::BodyPtr SharedBodies::Reading::done(Rope octets, ContentBudget::Share memory) {
  SharedBodies& bodies = *bodies_;
  const std::uint32_t crc = crc32c(octets);
  const BodyPtr body(new Body{std::move(octets), crc, std::move(memory)},
                     [&bodies, key = key_](const Body* last) {
                       delete last;
                       bodies.forget(key);
                     });
  bodies.entries_[key_].body = body;
  std::exchange(bodies_, nullptr)->end(key_);
  return body;
}

void SharedBodies::end(Key key) {
  Entry& entry = entries_[key];
  entry.reading = false;
  for (async::Event* event : std::exchange(entry.waiting, {})) event->notify();
  forget(key);
}

// When nobody has it, and nobody is about to.
void SharedBodies::forget(Key key) {
  const auto at = entries_.find(key);
  if (at != entries_.end() && !at->second.reading && at->second.body.expired()) entries_.erase(at);
}

async::Task<bool> SharedBodies::wait(Key key, Instant deadline, async::StopSignal& stop) {
  const auto at = entries_.find(key);
  if (at == entries_.end() || !at->second.reading) co_return true;
  if (stop.requested()) co_return false;
  async::Event event;
  at->second.waiting.push_back(&event);
  const async::StopSignal::Callback on_stop(stop, [&event] { event.notify(); });
  const bool woken = co_await event.wait(deadline);
  // Not in the list any more when its reader has ended.
  if (const auto now = entries_.find(key); now != entries_.end()) {
    std::erase(now->second.waiting, &event);
  }
  co_return woken && !stop.requested();
}

}  // namespace godwit::sender
