#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/stop_signal.h"
#include "common/base/ids.h"
#include "common/net/resolver.h"
#include "router/config.h"
#include "router/metrics.h"

namespace godwit::router {

// Finds the site that a domain's MX records make, and remembers it.
//
// Look-ups  equal ones share one question; at most SiteConfig::look_ups are under way, the others wait
// Memory    the SiteConfig::domains last asked for
// TTL       that of the answer within ttl_min and ttl_max; of a failure failure_ttl
// Threads   belongs to one shard
// Lifecycle look-ups are counted in `gate`: close it before this is destroyed. A look-up that the closed gate
//           refuses never answers, nor does one that stop() ends: what waits for it is routed after the next start
class SiteFinder {
 public:
  using Found = std::move_only_function<void(const SiteName&)>;

  SiteFinder(net::Resolver& resolver, async::Shard& shard, async::Gate& gate,
             const SiteConfig& config, RouterMetrics& metrics)
      : resolver_(resolver), shard_(shard), gate_(gate), config_(config), metrics_(metrics) {}
  SiteFinder(const SiteFinder&) = delete;
  SiteFinder& operator=(const SiteFinder&) = delete;

  // The site that is remembered, until the next call of anything here; nullptr: ask() for it.
  [[nodiscard]] const SiteName* recall(const std::string& domain);
  // `found` is called once, later.
  void ask(const std::string& domain, Found found);

  // Ends the look-ups under way, on the shard; no others begin.
  void stop() { stop_.request(); }

  [[nodiscard]] std::size_t remembered() const { return entries_.size(); }
  [[nodiscard]] std::size_t under_way() const { return under_way_; }

 private:
  struct Entry {
    std::string domain;
    SiteName site;
    Instant until;
  };

  void remember(const std::string& domain, const SiteName& site, Instant until);
  [[nodiscard]] Instant expiry(const net::DnsAnswer<net::MxRecord>& answer) const;
  async::Task<void> look_up(std::string domain);  // and, after it, those that wait

  net::Resolver& resolver_;
  async::Shard& shard_;
  async::Gate& gate_;
  const SiteConfig config_;
  RouterMetrics& metrics_;
  std::list<Entry> entries_;  // the last asked for first
  std::unordered_map<std::string_view, std::list<Entry>::iterator>
      by_domain_;  // keys: Entry::domain
  std::unordered_map<std::string, std::vector<Found>> asked_;
  std::deque<std::string> waiting_;  // asked_, without a question under way
  std::size_t under_way_ = 0;
  async::StopSignal stop_;
};

}  // namespace godwit::router
