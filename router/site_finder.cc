#include "router/site_finder.h"

#include <algorithm>
#include <utility>

#include "router/site.h"

namespace godwit::router {

const SiteName* SiteFinder::recall(const std::string& domain) {
  const auto found = by_domain_.find(domain);
  if (found == by_domain_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->until <= shard_.now()) {
    by_domain_.erase(found);
    entries_.erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  metrics_.site_remembered();
  return &entry->site;
}

void SiteFinder::ask(const std::string& domain, Found found) {
  std::vector<Found>& asking = asked_[domain];
  asking.push_back(std::move(found));
  if (asking.size() > 1) return;
  if (under_way_ >= config_.look_ups) {
    waiting_.push_back(domain);
    return;
  }
  ++under_way_;
  if (!shard_.spawn(look_up(domain), gate_)) --under_way_;
}

void SiteFinder::remember(const std::string& domain, const SiteName& site, Instant until) {
  if (entries_.size() >= config_.domains) {
    by_domain_.erase(entries_.back().domain);
    entries_.pop_back();
  }
  entries_.push_front({.domain = domain, .site = site, .until = until});
  by_domain_.emplace(entries_.front().domain, entries_.begin());
}

Instant SiteFinder::expiry(const net::DnsAnswer<net::MxRecord>& answer) const {
  if (answer.temporary()) return shard_.now() + config_.failure_ttl;
  return shard_.now() + std::clamp(answer.ttl, config_.ttl_min, config_.ttl_max);
}

async::Task<void> SiteFinder::look_up(std::string domain) {
  while (true) {
    const net::DnsAnswer<net::MxRecord> answer = co_await resolver_.mx_until(domain, stop_);
    if (answer.outcome == net::DnsOutcome::kStopped) break;
    metrics_.looked_up(answer.outcome);
    const SiteName site = site_of_mx(domain, answer);
    remember(domain, site, expiry(answer));
    const auto asked = asked_.extract(domain);
    for (Found& found : asked.mapped()) found(site);
    if (waiting_.empty() || gate_.closed()) break;
    domain = std::move(waiting_.front());
    waiting_.pop_front();
  }
  --under_way_;
}

}  // namespace godwit::router
