#include "sender/lane_limits.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace godwit::sender {

namespace {

constexpr std::string_view kLaneMessages = "lane_message_rate";
constexpr std::string_view kMessages = "message_rate/";
constexpr std::string_view kConnections = "connection_rate/";

// The slower of two rates, by what they allow in the long run.
bool slower(const control::Rate& a, const control::Rate& b) {
  const auto per_hour = [](const control::Rate& rate) {
    const auto per = static_cast<double>(std::max<std::int64_t>(rate.per.count(), 1));
    return static_cast<double>(rate.count) / per;
  };
  return per_hour(a) < per_hour(b);
}

}  // namespace

std::string_view wait_name(Wait wait) {
  switch (wait) {
    case Wait::kNone: return "";
    case Wait::kConnectionLimit: return "connection_limit";
    case Wait::kLaneConnectionLimit: return "lane_connection_limit";
    case Wait::kConnectionRate: return "max_connection_rate";
    case Wait::kMessageRate: return "max_message_rate";
    case Wait::kLaneMessageRate: return "lane_max_message_rate";
    case Wait::kSuspended: return "suspended";
    case Wait::kNoSource: return "no_source";
    case Wait::kCommit: return "log_unavailable";
  }
  return "";
}

void LaneLimits::apply(std::optional<Gcra>& limiter, const std::optional<control::Rate>& rate) {
  if (!rate) {
    limiter.reset();
  } else if (!limiter) {
    limiter.emplace(*rate);
  } else if (limiter->rate() != *rate) {
    limiter->set_rate(*rate);
  }
}

void LaneLimits::set(const SourceName& name, const control::Shaping& shaping, Instant now) {
  Source& source = sources_[name];
  source.connection_limit = shaping.connection_limit;
  source.lane_connection_limit = shaping.lane_connection_limit;
  source.lane_message_rate = shaping.lane_max_message_rate;
  const auto fresh = [&](std::optional<Gcra>& limiter, std::string key) {
    const auto saved = restored_.find(key);
    if (!limiter) return;
    if (saved != restored_.end()) {
      limiter->restore(
          saved->second, now,
          restored_wall_ + std::chrono::floor<std::chrono::milliseconds>(now - restored_at_));
      restored_.erase(saved);
    }
    if (cold_) limiter->start_cold(cold_at_, *cold_);
  };
  const bool had_messages = source.message_rate.has_value();
  const bool had_connections = source.connection_rate.has_value();
  const bool had_lane = lane_message_rate_.has_value();
  apply(source.message_rate, shaping.max_message_rate);
  apply(source.connection_rate, shaping.max_connection_rate);
  apply_lane_limits();
  if (!had_messages) fresh(source.message_rate, std::string(kMessages) + name.text());
  if (!had_connections) fresh(source.connection_rate, std::string(kConnections) + name.text());
  if (!had_lane) fresh(lane_message_rate_, std::string(kLaneMessages));
}

void LaneLimits::apply_lane_limits() {
  lane_connection_limit_.reset();
  std::optional<control::Rate> rate;
  for (const auto& [name, source] : sources_) {
    if (source.lane_connection_limit) {
      lane_connection_limit_ =
          std::min(*source.lane_connection_limit, lane_connection_limit_.value_or(~0U));
    }
    if (source.lane_message_rate && (!rate || slower(*source.lane_message_rate, *rate))) {
      rate = source.lane_message_rate;
    }
  }
  apply(lane_message_rate_, rate);
}

LaneLimits::Answer LaneLimits::may_connect(const SourceName& name, Instant now) const {
  const auto at = sources_.find(name);
  if (at == sources_.end()) return {Wait::kNoSource, Instant::max()};
  const Source& source = at->second;
  if (source.connections >= source.connection_limit) {
    return {Wait::kConnectionLimit, Instant::max()};
  }
  if (lane_connection_limit_ && connections_ >= *lane_connection_limit_) {
    return {Wait::kLaneConnectionLimit, Instant::max()};
  }
  if (source.connection_rate) {
    const Instant ready = source.connection_rate->ready_at(now);
    if (ready > now) return {Wait::kConnectionRate, ready};
  }
  return {Wait::kNone, now};
}

void LaneLimits::connected(const SourceName& name, Instant now) {
  CHECK(may_connect(name, now).granted(), "a connection over the limit of source {}", name.text());
  Source& source = sources_.at(name);
  ++source.connections;
  ++connections_;
  if (source.connection_rate) source.connection_rate->take(now);
}

void LaneLimits::closed(const SourceName& name) {
  Source& source = sources_.at(name);
  CHECK(source.connections > 0 && connections_ > 0, "more closed than opened");
  --source.connections;
  --connections_;
}

LaneLimits::Answer LaneLimits::may_send(const SourceName& name, Instant now) const {
  const auto at = sources_.find(name);
  if (at == sources_.end()) return {Wait::kNoSource, Instant::max()};
  Answer answer{Wait::kNone, now};
  const auto ask = [&](const std::optional<Gcra>& limiter, Wait why) {
    if (!limiter) return;
    const Instant ready = limiter->ready_at(now);
    if (ready > answer.at) answer = {why, ready};
  };
  ask(at->second.message_rate, Wait::kMessageRate);
  ask(lane_message_rate_, Wait::kLaneMessageRate);
  return answer;
}

void LaneLimits::sent(const SourceName& name, Instant now) {
  CHECK(may_send(name, now).granted(), "a message over the limit of source {}", name.text());
  Source& source = sources_.at(name);
  if (source.message_rate) source.message_rate->take(now);
  if (lane_message_rate_) lane_message_rate_->take(now);
}

void LaneLimits::not_sent(const SourceName& name) {
  Source& source = sources_.at(name);
  if (source.message_rate) source.message_rate->give_back();
  if (lane_message_rate_) lane_message_rate_->give_back();
}

bool LaneLimits::slow(const SourceName& name) const {
  const auto below = [](const std::optional<Gcra>& limiter) {
    if (!limiter) return false;
    const auto per = std::chrono::floor<std::chrono::seconds>(limiter->rate().per).count();
    return std::cmp_less(limiter->rate().count, per);
  };
  const auto at = sources_.find(name);
  return below(lane_message_rate_) || (at != sources_.end() && below(at->second.message_rate));
}

std::uint32_t LaneLimits::connections(const SourceName& name) const {
  const auto at = sources_.find(name);
  return at == sources_.end() ? 0 : at->second.connections;
}

template <class Visit>
void LaneLimits::each_limiter(const Visit& visit) const {
  if (lane_message_rate_) visit(std::string(kLaneMessages), *lane_message_rate_);
  for (const auto& [name, source] : sources_) {
    if (source.message_rate) visit(std::string(kMessages) + name.text(), *source.message_rate);
    if (source.connection_rate) {
      visit(std::string(kConnections) + name.text(), *source.connection_rate);
    }
  }
}

bool LaneLimits::idle(Instant now) const {
  bool idle = connections_ == 0;
  each_limiter([&](const std::string&, const Gcra& limiter) { idle = idle && limiter.idle(now); });
  return idle;
}

void LaneLimits::save(v1::LaneState& state, Instant now, Timestamp wall) const {
  state.clear_limiters();
  each_limiter([&](const std::string& key, const Gcra& limiter) {
    if (limiter.idle(now)) return;
    auto* saved = state.add_limiters();
    saved->set_key(key);
    saved->set_theoretical_arrival_unix_us(limiter.theoretical_arrival_unix_us(now, wall));
  });
}

void LaneLimits::restore(const v1::LaneState& state, Instant now, Timestamp wall) {
  restored_.clear();
  for (const auto& saved : state.limiters()) {
    restored_[saved.key()] = saved.theoretical_arrival_unix_us();
  }
  restored_at_ = now;
  restored_wall_ = wall;
}

void LaneLimits::start_cold(Instant now, Duration spent) {
  cold_ = spent;
  cold_at_ = now;
}

}  // namespace godwit::sender
