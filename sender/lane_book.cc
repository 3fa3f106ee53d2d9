#include "sender/lane_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/record/keys.h"
#include "sender/journal.h"

namespace godwit::sender {

namespace {

constexpr Duration kSaveEvery = std::chrono::seconds{5};

}  // namespace

LaneBook::Entry& LaneBook::at(const LaneId& id) {
  auto [at, added] = lanes_.try_emplace(id);
  if (added) {
    at->second.lane = std::make_unique<Lane>(id, env_, dispatch_, couriers_);
    const auto saved = saved_states_.find(id);
    if (saved != saved_states_.end()) {
      at->second.lane->limits().restore(saved->second, env_.clock.instant(), env_.clock.now());
      at->second.state_saved = true;
      saved_states_.erase(saved);
    }
    // What the owner before us spent in its last commit window is not in the state.
    if (taken_unclean_) {
      at->second.lane->limits().start_cold(*taken_unclean_, 2 * env_.config.commit_interval);
    }
  }
  return at->second;
}

void LaneBook::set_backlog(Entry& state, bool urgent, bool there) {
  if (std::exchange(state.backlog(urgent).there, there) == there) return;
  backlogs_ += there ? 1 : -1;
}

LaneBook::Entry* LaneBook::fullest(bool urgent) {
  Entry* fullest = nullptr;
  for (auto& [id, state] : lanes_) {
    if (fullest == nullptr || state.lane->waiting(urgent) > fullest->lane->waiting(urgent)) {
      fullest = &state;
    }
  }
  return fullest;
}

bool LaneBook::wants_more(const Entry& state, bool urgent) const {
  return state.backlog(urgent).there &&
         state.lane->waiting(urgent) <= env_.config.window.lane_share / 2;
}

void LaneBook::notify_all() {
  for (auto& [id, state] : lanes_) state.lane->notify_all();
}

void LaneBook::sweep() {
  const Instant now = env_.clock.instant();
  const auto control = env_.control.current();
  const bool placed = env_.clock.now() >= control->placement.effective_at;
  if (control->version != control_version_ || placed != placed_) {
    control_version_ = control->version;
    placed_ = placed;
    for (auto& [id, state] : lanes_) state.lane->control_changed();
  }
  std::erase_if(lanes_, [&](const auto& entry) {
    const Entry& state = entry.second;
    return !state.urgent.there && !state.bulk.there && !state.state_saved && state.lane->idle(now);
  });
}

std::vector<DeliveryPtr> LaneBook::take_if(const std::function<bool(const QueuedDelivery&)>& fits) {
  std::vector<DeliveryPtr> taken;
  for (auto& [id, state] : lanes_)
    std::ranges::move(state.lane->take_if(fits), std::back_inserter(taken));
  return taken;
}

void LaneBook::sources_changed() {
  for (auto& [id, state] : lanes_) state.lane->choose_again();
}

std::vector<DeliveryPtr> LaneBook::take_strays() {
  std::vector<DeliveryPtr> strays;
  for (auto& [id, state] : lanes_) {
    if (!state.lane->is_elsewhere()) continue;
    for (const bool urgent : {true, false}) {
      while (DeliveryPtr delivery = state.lane->pop_youngest(urgent))
        strays.push_back(std::move(delivery));
    }
  }
  return strays;
}

Timestamp LaneBook::changes_at() const {
  const Timestamp at = env_.control.current()->placement.effective_at;
  return at > env_.clock.now() ? at : Timestamp::max();
}

void LaneBook::save_states(bool all) {
  const Instant now = env_.clock.instant();
  if (!all && now - saved_at_ < kSaveEvery) return;
  if (!all && !env_.spare_room.take(0)) return;
  saved_at_ = now;
  const Timestamp wall = env_.clock.now();
  // Of lanes that had no mail since: gone when their limits have forgotten.
  std::erase_if(saved_states_, [&](const auto& entry) {
    const bool past = std::ranges::all_of(entry.second.limiters(), [&](const auto& limiter) {
      return limiter.theoretical_arrival_unix_us() <= to_unix_ms(wall) * 1000;
    });
    if (past) journal_.add_change(record::lane_key(entry.first), std::nullopt);
    return past;
  });
  for (auto& [id, state] : lanes_) {
    v1::LaneState record;
    state.lane->limits().save(record, now, wall);
    if (record.limiters_size() == 0) {
      if (std::exchange(state.state_saved, false)) {
        journal_.add_change(record::lane_key(id), std::nullopt);
      }
      continue;
    }
    // Fast limits have forgotten everything before a new owner could be there; only slow ones are kept.
    const auto slow = [&](const v1::LaneState::Limiter& limiter) {
      return limiter.theoretical_arrival_unix_us() > (to_unix_ms(wall) + 1000) * 1000;
    };
    if (!all && std::ranges::none_of(record.limiters(), slow)) continue;
    put_state(id, state, std::move(record));
  }
}

void LaneBook::save_state(const LaneId& id) {
  Entry& entry = at(id);
  v1::LaneState record;
  entry.lane->limits().save(record, env_.clock.instant(), env_.clock.now());
  put_state(id, entry, std::move(record));
}

void LaneBook::put_state(const LaneId& id, Entry& entry, v1::LaneState record) {
  record.set_version(record::kVersion);
  record.set_site(id.site.text());
  record.set_pool(id.pool.text());
  journal_.add_change(record::lane_key(id), record::encode(record));
  entry.state_saved = true;
}

}  // namespace godwit::sender
