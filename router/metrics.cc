#include "router/metrics.h"

namespace godwit::router {
namespace {

constexpr std::string_view kLookUps = "godwit_router_mx_lookups_total";
constexpr std::string_view kLookUpsHelp = "MX look-ups that ended, by what the DNS said.";

}  // namespace

RouterMetrics::RouterMetrics(observe::Metrics& metrics)
    : messages_(metrics.counter("godwit_router_messages_total", "Accepted records routed.")),
      deliveries_(metrics.counter("godwit_router_deliveries_total", "Deliveries made of them.")),
      recipients_(metrics.counter("godwit_router_recipients_total", "Recipients in them.")),
      dead_(metrics.counter("godwit_router_dead_total", "Records put into `dead`.")),
      commit_failures_(metrics.counter("godwit_router_commit_failures_total",
                                       "Commits that failed; they are repeated.")),
      pools_unknown_(metrics.counter("godwit_router_pools_unknown_total",
                                     "Messages whose pool does not exist: routed to `default`.")),
      sites_remembered_(metrics.counter("godwit_router_sites_remembered_total",
                                        "Sites found without a look-up.")),
      patience_ended_(
          metrics.counter("godwit_router_lookup_patience_ended_total",
                          "Domains routed as their own site because the DNS was slow.")),
      found_(metrics.counter(kLookUps, kLookUpsHelp, {{"outcome", "found"}})),
      nonexistent_(metrics.counter(kLookUps, kLookUpsHelp, {{"outcome", "none"}})),
      failed_(metrics.counter(kLookUps, kLookUpsHelp, {{"outcome", "failed"}})),
      window_(
          metrics.gauge("godwit_router_window_messages", "Messages read and not yet committed.")),
      commit_(metrics.histogram("godwit_router_commit_seconds",
                                "From a commit to its acknowledgement.",
                                observe::latency_bounds())),
      queued_(metrics.histogram("godwit_router_queued_seconds",
                                "From acceptance to the routed commit.",
                                observe::latency_bounds())) {}

void RouterMetrics::committed(std::uint64_t messages, std::uint64_t deliveries,
                              std::uint64_t recipients, Duration took) {
  messages_.add(messages);
  deliveries_.add(deliveries);
  recipients_.add(recipients);
  commit_.observe(took);
}

void RouterMetrics::looked_up(net::DnsOutcome outcome) {
  switch (outcome) {
    case net::DnsOutcome::kFound: return found_.add();
    case net::DnsOutcome::kNxDomain:
    case net::DnsOutcome::kNoData: return nonexistent_.add();
    case net::DnsOutcome::kServFail:
    case net::DnsOutcome::kTimeout:
    case net::DnsOutcome::kBogus: return failed_.add();
    case net::DnsOutcome::kStopped: return;  // nothing was found out
  }
}

}  // namespace godwit::router
