#include "router/metrics.h"

namespace godwit::router {
namespace {

using observe::CounterDefinition;
using observe::GaugeDefinition;
using observe::HistogramDefinition;

const CounterDefinition kMessages{"godwit_router_messages_total", "Accepted records routed."};
const CounterDefinition kDeliveries{"godwit_router_deliveries_total", "Deliveries made of them."};
const CounterDefinition kRecipients{"godwit_router_recipients_total", "Recipients in them."};
const CounterDefinition kDead{"godwit_router_dead_total", "Records put into `dead`."};
const CounterDefinition kCommitFailures{"godwit_router_commit_failures_total",
                                        "Commits that failed; they are repeated."};
const CounterDefinition kPoolsUnknown{"godwit_router_pools_unknown_total",
                                      "Messages whose pool does not exist: routed to `default`."};
const CounterDefinition kSitesRemembered{"godwit_router_sites_remembered_total",
                                         "Sites found without a look-up."};
const CounterDefinition kPatienceEnded{
    "godwit_router_lookup_patience_ended_total",
    "Domains routed as their own site because the DNS was slow."};
const CounterDefinition kLookUps{
    "godwit_router_mx_lookups_total", "MX look-ups that ended, by what the DNS said.", {"outcome"}};
const GaugeDefinition kWindow{"godwit_router_window_messages",
                              "Messages read and not yet committed."};
const HistogramDefinition kCommit{"godwit_router_commit_seconds",
                                  "From a commit to its acknowledgement.", observe::kLatencyBounds};
const HistogramDefinition kQueued{"godwit_router_queued_seconds",
                                  "From acceptance to the routed commit, of each message.",
                                  observe::kLatencyBounds};

}  // namespace

RouterMetrics::RouterMetrics(observe::Metrics& metrics)
    : messages_(metrics.counter(kMessages)),
      deliveries_(metrics.counter(kDeliveries)),
      recipients_(metrics.counter(kRecipients)),
      dead_(metrics.counter(kDead)),
      commit_failures_(metrics.counter(kCommitFailures)),
      pools_unknown_(metrics.counter(kPoolsUnknown)),
      sites_remembered_(metrics.counter(kSitesRemembered)),
      patience_ended_(metrics.counter(kPatienceEnded)),
      found_(metrics.counter(kLookUps, {"found"})),
      nonexistent_(metrics.counter(kLookUps, {"none"})),
      failed_(metrics.counter(kLookUps, {"failed"})),
      window_(metrics.gauge(kWindow)),
      commit_(metrics.histogram(kCommit)),
      queued_(metrics.histogram(kQueued)) {}

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
