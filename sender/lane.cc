#include "sender/lane.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "common/async/asio.h"
#include "common/base/check.h"
#include "sender/courier.h"
#include "sender/metrics.h"
#include "sender/source_choice.h"

namespace godwit::sender {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Mail waiting for each connection being opened, before another one is opened beside it.
constexpr std::size_t kWaitingPerConnecting = 4;
// A connection is opened when its first message will be allowed this soon.
constexpr Duration kTokenAhead = milliseconds{500};
constexpr Duration kPauseFirst = minutes{1};
constexpr Duration kPauseMax = minutes{20};
// The timer wheel ticks every 16 ms: too coarse for the gaps of a rate of 100/s.
constexpr Duration kPreciseBelow = milliseconds{64};

}  // namespace

// One kernel timer a lane, for short gaps between messages.
struct Lane::Precise {
  explicit Precise(async::Shard& shard) : timer(shard.executor()) {}
  async::SteadyTimer timer;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

Lane::Lane(LaneId id, Environment& environment, Dispatch& dispatch, async::Gate& gate)
    : id_(std::move(id)),
      env_(environment),
      dispatch_(dispatch),
      gate_(gate),
      control_(environment.control.current()),
      share_(dispatch.share_of(id_)),
      metrics_(environment.metrics.lane(id_)) {}

Lane::~Lane() {
  if (precise_) *precise_->alive = false;
}

Lane::Path* Lane::path(const SourceName& source) {
  const auto at = paths_.find(source);
  return at == paths_.end() ? nullptr : &at->second;
}
const Lane::Path* Lane::path(const SourceName& source) const {
  return const_cast<Lane*>(this)->path(source);
}

const control::Source* Lane::source(const SourceName& source) const {
  const Path* of = path(source);
  return of == nullptr || of->gone ? nullptr : &of->source;
}
const control::Shaping* Lane::shaping(const SourceName& source) const {
  const Path* of = path(source);
  return of == nullptr ? nullptr : &of->shaping;
}

bool Lane::may_use(const control::Pool& pool, const SourceName& source) const {
  if (!share_ || control_->source(source.text()) == nullptr) return false;
  const auto at = std::ranges::find(pool.members, source, &control::PoolMember::source);
  return at != pool.members.end() && at->weight > 0 &&
         share_->has(static_cast<std::size_t>(at - pool.members.begin()));
}

void Lane::update(const SourceName& name, Path& of) {
  of.gone = false;
  of.source = *control_->source(name.text());
  of.shaping = control::slice(control_->shaping_of(id_.site.text(), domain_, name.text()), *share_);
  limits_.set(name, of.shaping, env_.clock.instant());
}

Lane::Path* Lane::choose(const QueuedDelivery& delivery) {
  const control::Pool* pool = control_->pool(id_.pool.text());
  if (pool == nullptr) return nullptr;
  const control::PoolMember* member =
      choose_source(*pool, delivery.id, [&](const SourceName& name) {
        return may_use(*pool, name) && !dispatch_.is_barred(delivery, name);
      });
  if (member == nullptr) return nullptr;
  auto [at, added] = paths_.try_emplace(member->source);
  Path& chosen = at->second;
  if (added || chosen.gone) update(member->source, chosen);
  return &chosen;
}

void Lane::enqueue(DeliveryPtr delivery) {
  if (domain_.empty()) domain_ = delivery->record.head.domain();
  Path* chosen = choose(*delivery);
  if (chosen == nullptr) {
    homeless_.push_back(std::move(delivery));
    return;
  }
  const TenantName tenant(delivery->record.head.tenant());
  const bool urgent = delivery->urgent();
  const std::uint32_t cost = delivery->cost();
  chosen->queue.push(tenant, urgent, cost, std::move(delivery));
}

void Lane::push(DeliveryPtr delivery) {
  ++waiting_like(*delivery);
  enqueue(std::move(delivery));
  pump();
}

DeliveryPtr Lane::pop_youngest(bool urgent) {
  if (waiting(urgent) == 0) return nullptr;
  const auto homeless = std::ranges::find_if(
      homeless_.rbegin(), homeless_.rend(),
      [&](const DeliveryPtr& delivery) { return delivery->urgent() == urgent; });
  if (homeless != homeless_.rend()) {
    DeliveryPtr delivery = std::move(*homeless);
    homeless_.erase(std::next(homeless).base());
    --waiting_like(*delivery);
    return delivery;
  }
  Path* longest = nullptr;
  for (auto& [name, candidate] : paths_) {
    if (longest == nullptr || candidate.queue.size(urgent) > longest->queue.size(urgent)) {
      longest = &candidate;
    }
  }
  CHECK(longest != nullptr && longest->queue.size(urgent) > 0, "{} wait nowhere", waiting(urgent));
  DeliveryPtr delivery = *longest->queue.pop_youngest(urgent);
  --waiting_like(*delivery);
  return delivery;
}

void Lane::visit(const Visit& visit) const {
  const auto waits = [&visit](const DeliveryPtr& delivery) { visit(*delivery, false); };
  for (const auto& [name, of] : paths_) of.queue.visit(waits);
  std::ranges::for_each(homeless_, waits);
  for (const Courier* courier : couriers_) {
    courier->visit([&visit](const QueuedDelivery& delivery) { visit(delivery, true); });
  }
}

std::vector<DeliveryPtr> Lane::take_if(const std::function<bool(const QueuedDelivery&)>& fits) {
  const auto fit = [&fits](const DeliveryPtr& delivery) { return fits(*delivery); };
  std::vector<DeliveryPtr> taken;
  for (auto& [name, of] : paths_)
    std::ranges::move(of.queue.take_if(fit), std::back_inserter(taken));
  const auto first = std::ranges::partition(homeless_, std::not_fn(fit)).begin();
  std::move(first, homeless_.end(), std::back_inserter(taken));
  homeless_.erase(first, homeless_.end());
  for (const DeliveryPtr& delivery : taken) --waiting_like(*delivery);
  return taken;
}

DeliveryPtr Lane::claim(const SourceName& source) {
  Path* of = path(source);
  const Timestamp now = env_.clock.now();
  while (of != nullptr) {
    std::optional<DeliveryPtr> next = of->queue.pop();
    if (!next) break;
    --waiting_like(**next);
    if ((*next)->expires <= now) {
      dispatch_.expired(*std::move(next));
    } else if (dispatch_.is_barred(**next, source)) {
      ++waiting_like(**next);
      enqueue(*std::move(next));  // for another one
    } else if (!dispatch_.withhold(*next)) {
      dispatch_.taken(**next);
      return *std::move(next);
    }
  }
  return nullptr;
}

bool Lane::has_waiting(const SourceName& source) const {
  const auto at = paths_.find(source);
  return at != paths_.end() && !at->second.queue.empty();
}

bool Lane::take_token(const SourceName& source) {
  const Instant now = env_.clock.instant();
  const LaneLimits::Answer answer = limits_.may_send(source, now);
  if (!answer.granted()) {
    stand(answer.why);
    wake_at(answer.at);
    return false;
  }
  limits_.sent(source, now);
  return true;
}

DeliveryPtr Lane::take(const SourceName& source) {
  Path* of = path(source);
  if (of == nullptr || of->queue.empty() || !take_token(source)) return nullptr;
  DeliveryPtr delivery = claim(source);
  if (!delivery) return_token(source);
  return delivery;
}

void Lane::give_back(const SourceName& source, DeliveryPtr delivery) {
  dispatch_.given_back(*delivery);
  ++waiting_like(*delivery);
  Path* of = path(source);
  if (of == nullptr || of->gone) {
    enqueue(std::move(delivery));
    return;
  }
  const TenantName tenant(delivery->record.head.tenant());
  const bool urgent = delivery->urgent();
  const std::uint32_t cost = delivery->cost();
  of->queue.push_front(tenant, urgent, cost, std::move(delivery));
}

void Lane::idle_begins(Courier& courier) {
  if (Path* of = path(courier.source())) of->idle.push_back(&courier);
}

void Lane::idle_ends(Courier& courier) {
  if (Path* of = path(courier.source())) std::erase(of->idle, &courier);
}

void Lane::reached(const SourceName& source) {
  if (Path* of = path(source)) {
    of->failures = 0;
    of->paused_until = {};
  }
}

void Lane::unreachable(const SourceName& source) {
  Path* of = path(source);
  if (of == nullptr) return;
  ++of->failures;
  const std::uint32_t limit = env_.config.connection_failures_max;
  if (of->failures < limit) return;
  // The site does not answer: what waits stays where it is instead of failing one by one.
  // Not longer than a first retry would take, nor, later, than the longest.
  const RetrySchedule& retry = env_.config.retry;
  const std::uint32_t doublings = std::min<std::uint32_t>(of->failures - limit, 8);
  const Duration pause = std::min<Duration>(kPauseFirst, retry.first) * (1 << doublings);
  of->paused_until =
      env_.clock.instant() + std::min(pause, std::min<Duration>(kPauseMax, retry.max));
}

void Lane::connecting_ended(const SourceName& source) {
  if (Path* of = path(source); of != nullptr && of->connecting > 0) --of->connecting;
}

LaneLimits::Answer Lane::next_slot(const SourceName& source) {
  const Instant now = env_.clock.instant();
  const LaneLimits::Answer answer = limits_.may_connect(source, now);
  if (answer.granted()) limits_.connected(source, now);
  return answer;
}

void Lane::slot_free(const SourceName& source) {
  limits_.closed(source);
}

async::Task<void> Lane::run_courier(Lane& lane, SourceName source) {
  {
    Courier courier(lane, lane.env_, lane.dispatch_, source);
    co_await courier.run();
  }
  --lane.running_;
  lane.pump();
}

void Lane::pump_path(const SourceName& name, Path& of, Instant now, Instant& next, Wait& why) {
  const auto waits = [&](Wait reason, Instant at) {
    why = reason;
    next = std::min(next, at);
  };
  // Couriers that hold a delivery without a token come first: theirs is the oldest.
  const auto holder = std::ranges::find_if(of.idle, [](Courier* c) { return c->holds(); });
  if (holder == of.idle.end() && of.queue.empty()) return;
  const LaneLimits::Answer message = limits_.may_send(name, now);
  if (!of.idle.empty()) {
    if (!message.granted()) return waits(message.why, message.at);
    Courier* courier = holder != of.idle.end() ? *holder : of.idle.back();
    std::erase(of.idle, courier);
    courier->wake();
    return;
  }
  if (of.paused_until > now) return waits(Wait::kSuspended, of.paused_until);
  while (of.queue.size() > of.connecting * kWaitingPerConnecting) {
    if (message.at > now + kTokenAhead) return waits(message.why, message.at - kTokenAhead);
    const LaneLimits::Answer connection = limits_.may_connect(name, now);
    if (!connection.granted()) return waits(connection.why, connection.at);
    limits_.connected(name, now);
    if (!env_.shard.spawn(run_courier(*this, name), gate_)) {
      limits_.closed(name);
      return;
    }
    ++running_;
    ++of.connecting;
    if (!message.granted()) return;  // one connection is enough to wait for the next token
  }
}

void Lane::pump() {
  if (waiting() == 0 &&
      std::ranges::all_of(paths_, [](const auto& entry) { return entry.second.idle.empty(); })) {
    stand(Wait::kNone);
    return;
  }
  if (dispatch_.draining()) return;
  if (!dispatch_.may_begin()) {
    stand(Wait::kCommit);
    return;
  }
  const Instant now = env_.clock.instant();
  Instant next = Instant::max();
  Wait why = homeless_.empty() ? Wait::kNone : Wait::kNoSource;
  // Limits of the whole lane go to whoever asks first: begin with another source each time.
  auto at = paths_.upper_bound(turn_);
  for (std::size_t i = 0; i < paths_.size(); ++i, ++at) {
    if (at == paths_.end()) at = paths_.begin();
    if (i == 0) turn_ = at->first;
    pump_path(at->first, at->second, now, next, why);
  }
  stand(why);
  wake_at(next);
}

void Lane::stand(Wait why) {
  standing_ = why;
  metrics_->stands(why);
}

void Lane::wake_at(Instant when) {
  if (when == Instant::max()) return;
  const Instant now = env_.clock.instant();
  if (when - now >= kPreciseBelow || &env_.clock != &system_clock()) {
    if (!alarm_.is_set() || alarm_.deadline() > when) env_.shard.set_timer(alarm_, when);
    return;
  }
  if (!precise_) precise_ = std::make_unique<Precise>(env_.shard);
  if (precise_->timer.expiry() > now && precise_->timer.expiry() <= when) return;
  precise_->timer.expires_at(when);
  precise_->timer.async_wait([this, alive = precise_->alive](const auto& error) {
    if (!error && *alive) pump();
  });
}

void Lane::notify_all() {
  for (auto& [name, of] : paths_) {
    for (Courier* courier : std::exchange(of.idle, {})) courier->wake();
  }
  pump();
}

void Lane::choose_again() {
  std::vector<DeliveryPtr> moving = std::exchange(homeless_, {});
  for (auto& [name, of] : paths_) {
    const auto leaves = [&](const DeliveryPtr& delivery) {
      return dispatch_.is_barred(*delivery, name);
    };
    std::ranges::move(of.queue.take_if(leaves), std::back_inserter(moving));
  }
  for (DeliveryPtr& delivery : moving) enqueue(std::move(delivery));
  pump();
}

void Lane::control_changed() {
  control_ = env_.control.current();
  share_ = dispatch_.share_of(id_);
  const control::Pool* pool = control_->pool(id_.pool.text());
  std::vector<DeliveryPtr> moving = std::exchange(homeless_, {});
  for (auto& [name, of] : paths_) {
    if (pool == nullptr || !may_use(*pool, name)) {
      of.gone = true;
      while (auto delivery = of.queue.pop()) moving.push_back(*std::move(delivery));
      continue;
    }
    update(name, of);
  }
  for (DeliveryPtr& delivery : moving) enqueue(std::move(delivery));
  notify_all();
}

bool Lane::idle(Instant now) const {
  return waiting() == 0 && running_ == 0 && limits_.idle(now) &&
         std::ranges::all_of(paths_,
                             [now](const auto& entry) { return entry.second.paused_until <= now; });
}

}  // namespace godwit::sender
