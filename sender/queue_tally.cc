#include "sender/queue_tally.h"

#include <algorithm>
#include <mutex>
#include <numeric>
#include <string_view>
#include <utility>

#include "sender/metrics.h"

namespace godwit::sender {

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr auto kByLane = static_cast<std::size_t>(admin::QueueBy::kLane);
constexpr auto kByDomain = static_cast<std::size_t>(admin::QueueBy::kDomain);

// A name whose mail comes and goes one by one keeps its group; of 10,000 names not all do.
constexpr std::size_t kGroupsKept = 64;

}  // namespace

void QueueTally::Minutes::add(Timestamp time, std::int64_t by) {
  const std::int64_t minute = to_unix_ms(time) / kMinuteMs;
  const auto at = !counts_.empty() && counts_.back().minute == minute
                      ? counts_.end() - 1
                      : std::ranges::lower_bound(counts_, minute, {}, &Count::minute);
  if (at == counts_.end() || at->minute != minute) {
    counts_.insert(at, {minute, by});
  } else if (at->recipients += by; at->recipients == 0) {
    counts_.erase(at);
  }
}

Timestamp QueueTally::Minutes::first() const {
  return counts_.empty() ? Timestamp{} : from_unix_ms(counts_.front().minute * kMinuteMs);
}

QueueTally::Share QueueTally::share_of(const QueuedDelivery& delivery) {
  const v1::Delivery& head = delivery.record.head;
  return {.site = head.site(),
          .pool = head.pool(),
          .domain = head.domain(),
          .tenant = head.tenant(),
          .recipients = delivery.recipients(),
          .held = held_in(delivery.record.envelope),
          .accepted = delivery.accepted(),
          .due = from_unix_ms(head.due_unix_ms()),
          .bytes = delivery.record.content.size(),
          .suspended = head.suspended()};
}

QueueTally::Share QueueTally::share_of(const LaneEntry& entry) {
  return {.site = entry.lane.site.text(),
          .pool = entry.lane.pool.text(),
          .domain = entry.domain,
          .tenant = entry.tenant,
          .recipients = entry.recipients,
          .held = entry.held,
          .accepted = entry.accepted,
          .due = entry.due,
          .bytes = entry.bytes,
          .suspended = entry.suspended};
}

void QueueTally::show(SenderMetrics& metrics) {
  metrics_ = &metrics;
  held_.show(metrics.held_now());
  figures_ = metrics.queue().add_partition();
  publish();
  for (auto& [name, group] : by_[kByLane]) show(name, group);
}

void QueueTally::show(const std::string& name, Group& group) {
  const std::size_t space = name.rfind(' ');
  const std::string_view text(name);
  const std::string_view provider = metrics_->provider_of(text.substr(0, space));
  const std::string_view pool = text.substr(space + 1);
  auto pools = gauges_.find(provider);
  if (pools == gauges_.end()) pools = gauges_.try_emplace(std::string(provider)).first;
  auto gauge = pools->second.find(pool);
  if (gauge == pools->second.end())
    gauge = pools->second.emplace(pool, &metrics_->queue_of(provider, pool)).first;
  group.shown.show(*gauge->second);
}

void QueueTally::publish() {
  if (!figures_) return;
  const auto set = [](std::atomic<std::int64_t>& figure, std::int64_t value) {
    figure.store(value, std::memory_order_relaxed);  // its only writer
  };
  const auto first = [](const Minutes& minutes) {
    return minutes.empty() ? PartitionFigures::kNever : to_unix_ms(minutes.first());
  };
  set(figures_->waiting, all_.counts[static_cast<std::size_t>(State::kWaiting)]);
  set(figures_->active, all_.counts[static_cast<std::size_t>(State::kActive)]);
  // What a command suspends is parked, too.
  set(figures_->parked, all_.counts[static_cast<std::size_t>(State::kParked)] +
                            all_.counts[static_cast<std::size_t>(State::kSuspended)]);
  set(figures_->oldest_ms, first(all_.accepted));
  set(figures_->due_ms, first(all_.due));
}

void QueueTally::rank_domains() {
  const std::size_t most = metrics_ == nullptr ? 0 : metrics_->queue().domains_max();
  if (most == 0) return;
  const auto more = [](const auto& a, const auto& b) {
    return a.recipients != b.recipients ? a.recipients > b.recipients : a.domain < b.domain;
  };
  const auto& domains = by_[kByDomain];
  auto at = domains.lower_bound(rank_from_);  // the next one, when that has gone
  for (std::size_t i = 0; i < kDomainsLookedAt && at != domains.end(); ++i, ++at) {
    const std::int64_t recipients = std::accumulate(std::begin(at->second.counts),
                                                    std::end(at->second.counts), std::int64_t{0});
    if (recipients == 0) continue;
    if (ranked_.size() == most) {
      if (recipients <= ranked_.front().recipients) continue;
      std::ranges::pop_heap(ranked_, more);
      ranked_.pop_back();
    }
    ranked_.push_back({at->first, recipients});
    std::ranges::push_heap(ranked_, more);
  }
  rank_from_ = at == domains.end() ? std::string() : at->first;
  if (at != domains.end()) return;
  const std::lock_guard lock(figures_->domains_mutex);
  figures_->domains = std::exchange(ranked_, {});
}

void QueueTally::count(Group& group, State state, const Share& share, int sign) {
  const std::int64_t by = sign * static_cast<std::int64_t>(share.recipients);
  if (by == 0) return;
  group.counts[static_cast<std::size_t>(state)] += by;
  group.shown.add(by);
  group.bytes += sign * static_cast<std::int64_t>(share.bytes);
  group.accepted.add(share.accepted, by);
  if (state == State::kParked) group.due.add(share.due, by);
}

std::array<std::string_view, 3> QueueTally::names_of(const Share& share) {
  lane_name_.assign(share.site).append(1, ' ').append(share.pool);
  return {lane_name_, share.domain, share.tenant};
}

void QueueTally::count(State state, const Share& share, int sign) {
  if (share.recipients == 0) return;
  count(all_, state, share, sign);
  publish();
  held_.add(sign * static_cast<std::int64_t>(share.held));
  const std::array<std::string_view, 3> names = names_of(share);
  for (std::size_t by = 0; by < 3; ++by) {
    auto at = by_[by].find(names[by]);
    if (at == by_[by].end()) at = by_[by].try_emplace(std::string(names[by])).first;
    Group& group = at->second;
    if (group.empty() && by == kByLane && metrics_ != nullptr) show(at->first, group);
    count(group, state, share, sign);
    if (group.empty() && by_[by].size() > kGroupsKept) by_[by].erase(at);
  }
}

void QueueTally::move(Group& group, State from, State to, const Share& share) {
  const auto by = static_cast<std::int64_t>(share.recipients);
  group.counts[static_cast<std::size_t>(from)] -= by;
  group.counts[static_cast<std::size_t>(to)] += by;
  if (from == State::kParked) group.due.add(share.due, -by);
  if (to == State::kParked) group.due.add(share.due, by);
}

// Removing and adding would take the groups of a single delivery out and make them anew.
void QueueTally::move(State from, State to, const Share& share) {
  if (share.recipients == 0) return;
  move(all_, from, to, share);
  publish();
  const std::array<std::string_view, 3> names = names_of(share);
  for (std::size_t by = 0; by < 3; ++by) {
    const auto at = by_[by].find(names[by]);
    if (at != by_[by].end()) move(at->second, from, to, share);
  }
}

admin::QueueCounts QueueTally::counts_of(const Group& group) {
  const auto count = [&](State state) {
    return static_cast<std::uint64_t>(
        std::max<std::int64_t>(group.counts[static_cast<std::size_t>(state)], 0));
  };
  return {.waiting = count(State::kWaiting),
          .active = count(State::kActive),
          .parked = count(State::kParked),
          .suspended = count(State::kSuspended),
          .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(group.bytes, 0)),
          .oldest_accepted = group.accepted.first(),
          .next_due = group.due.first()};
}

std::vector<admin::QueueRow> QueueTally::rows_by(admin::QueueBy by) const {
  std::vector<admin::QueueRow> rows;
  if (by <= admin::QueueBy::kTenant) {
    for (const auto& [name, group] : by_[static_cast<std::size_t>(by)]) {
      if (!group.empty()) rows.push_back({name, counts_of(group), {}});
    }
    return rows;
  }
  // A lane is "site pool", and no name has a space.
  std::map<std::string, admin::QueueCounts> sums;
  for (const auto& [lane, group] : by_[static_cast<std::size_t>(admin::QueueBy::kLane)]) {
    if (group.empty()) continue;
    const std::size_t space = lane.rfind(' ');
    sums[by == admin::QueueBy::kSite ? lane.substr(0, space) : lane.substr(space + 1)].add(
        counts_of(group));
  }
  for (const auto& [name, counts] : sums) rows.push_back({name, counts, {}});
  return rows;
}

admin::QueueSummary QueueTally::summary(const admin::QueueQuery& query) const {
  admin::QueueSummary summary;
  summary.counts = counts_of(all_);
  summary.rows = rows_by(query.by);
  summary.rows_total = summary.rows.size();
  std::ranges::sort(summary.rows, [](const admin::QueueRow& a, const admin::QueueRow& b) {
    const auto left = a.counts.total();
    const auto right = b.counts.total();
    return left != right ? left > right : a.name < b.name;
  });
  if (summary.rows.size() > query.rows_max) summary.rows.resize(query.rows_max);
  return summary;
}

}  // namespace godwit::sender
