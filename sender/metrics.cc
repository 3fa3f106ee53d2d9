#include "sender/metrics.h"

namespace godwit::sender {
namespace {

using observe::CounterDefinition;
using observe::GaugeDefinition;
using observe::HistogramDefinition;

const CounterDefinition kConsumed{"godwit_sender_deliveries_consumed_total",
                                  "Deliveries read from outbound and outbound.urgent."};
const CounterDefinition kRecipients{"godwit_sender_recipients_total",
                                    "Recipients an attempt or the age ended or deferred.",
                                    {"result"}};
const CounterDefinition kUnknown{"godwit_sender_outcomes_unknown_total",
                                 "Recipients of attempts that died after the final dot."};
const CounterDefinition kParked{"godwit_sender_deliveries_parked_total",
                                "Deliveries written to the table retries."};
const CounterDefinition kThrottled{
    "godwit_sender_deliveries_throttled_total",
    "Deliveries parked because their lane was slower than its mail."};
const CounterDefinition kSuspended{"godwit_sender_deliveries_suspended_total",
                                   "Deliveries parked by a command when they were due."};
const CounterDefinition kMoved{"godwit_sender_deliveries_moved_total",
                               "Deliveries that went on in another partition, with their lane."};
const CounterDefinition kDeferralsUnwritten{
    "godwit_sender_deferrals_unwritten_total",
    "Deferrals that stay in memory: only the log's reserve is left."};
const CounterDefinition kDead{"godwit_sender_records_dead_total",
                              "Records that could not be handled."};
const CounterDefinition kBodiesRead{"godwit_sender_bodies_read_total",
                                    "Contents read from bodies, each for all who needed it then."};
const CounterDefinition kHeld{"godwit_sender_recipients_held_total",
                              "Recipients of unknown outcome that wait for an operator."};
const CounterDefinition kDecided{"godwit_sender_held_decided_total",
                                 "Held recipients an operator has decided about.",
                                 {"decision"}};
const CounterDefinition kConnectionFailures{
    "godwit_sender_connection_failures_total",
    "Connections to one address that gave no usable session."};
const CounterDefinition kTlsFailures{"godwit_sender_tls_failures_total", "Failed TLS handshakes."};
const CounterDefinition kTlsBegun{
    "godwit_sender_tls_handshakes_total", "TLS handshakes that succeeded.", {"version", "resumed"}};
const CounterDefinition kCommitted{"godwit_sender_ends_committed_total",
                                   "Ends, parkings and states in acknowledged commits."};
const CounterDefinition kCommitsRefused{"godwit_sender_commits_refused_total",
                                        "Commits the log did not take; they are repeated."};
const GaugeDefinition kConnections{"godwit_sender_connections", "Open connections."};
const GaugeDefinition kHeldNow{"godwit_sender_held",
                               "Recipients of unknown outcome that wait for an operator now."};
const GaugeDefinition kProviderQueue{"godwit_sender_provider_queue_recipients",
                                     "Recipients that have not ended.",
                                     {"provider", "pool"}};
const HistogramDefinition kConnect{"godwit_sender_connect_seconds",
                                   "TCP connections that were made.", observe::kLatencyBounds};
const HistogramDefinition kTlsSeconds{"godwit_sender_tls_handshake_seconds",
                                      "TLS handshakes that succeeded.", observe::kLatencyBounds};
const HistogramDefinition kTransaction{"godwit_sender_transaction_seconds",
                                       "From MAIL to the reply to the final dot.",
                                       observe::kLatencyBounds};
const HistogramDefinition kCommit{"godwit_sender_commit_seconds",
                                  "From a commit to its acknowledgement.", observe::kLatencyBounds};

}  // namespace

SenderMetrics::SenderMetrics(observe::Metrics& metrics, const Clock& clock,
                             const control::StaticRoutes& routes, std::size_t domains_max)
    : metrics_(metrics),
      routes_(routes),
      queue_(metrics, clock, domains_max),
      consumed_(metrics.counter(kConsumed)),
      delivered_(metrics.counter(kRecipients, {"delivered"})),
      deferred_(metrics.counter(kRecipients, {"deferred"})),
      bounced_(metrics.counter(kRecipients, {"bounced"})),
      expired_(metrics.counter(kRecipients, {"expired"})),
      cancelled_(metrics.counter(kRecipients, {"cancelled"})),
      unknown_(metrics.counter(kUnknown)),
      parked_(metrics.counter(kParked)),
      throttled_(metrics.counter(kThrottled)),
      suspended_(metrics.counter(kSuspended)),
      moved_(metrics.counter(kMoved)),
      deferrals_unwritten_(metrics.counter(kDeferralsUnwritten)),
      dead_(metrics.counter(kDead)),
      bodies_read_(metrics.counter(kBodiesRead)),
      held_(metrics.counter(kHeld)),
      decided_retry_(metrics.counter(kDecided, {"retry"})),
      decided_delivered_(metrics.counter(kDecided, {"delivered"})),
      decided_failed_(metrics.counter(kDecided, {"failed"})),
      connection_failures_(metrics.counter(kConnectionFailures)),
      tls_failures_(metrics.counter(kTlsFailures)),
      committed_(metrics.counter(kCommitted)),
      commits_refused_(metrics.counter(kCommitsRefused)),
      connections_(metrics.gauge(kConnections)),
      held_now_(metrics.gauge(kHeldNow)),
      connect_seconds_(metrics.histogram(kConnect)),
      tls_seconds_(metrics.histogram(kTlsSeconds)),
      transaction_seconds_(metrics.histogram(kTransaction)),
      commit_seconds_(metrics.histogram(kCommit)) {
  constexpr std::array<std::string_view, 2> kVersions{"TLSv1.2", "TLSv1.3"};
  for (std::size_t i = 0; i < kVersions.size(); ++i) {
    tls_begun_[i] = {&metrics.counter(kTlsBegun, {kVersions[i], "no"}),
                     &metrics.counter(kTlsBegun, {kVersions[i], "yes"})};
  }
}

std::unique_ptr<LaneMetrics> SenderMetrics::lane(const LaneId& id) {
  return std::make_unique<LaneMetrics>(metrics_, provider_of(id.site.text()), id.pool);
}

observe::Gauge& SenderMetrics::queue_of(std::string_view provider, std::string_view pool) {
  return metrics_.gauge(kProviderQueue, {provider, pool});
}

void SenderMetrics::tls_begun(const net::TlsInfo& info, Duration took) {
  const std::size_t version = info.version == "TLSv1.2" ? 0 : 1;  // common/net/tls.h has no others
  tls_begun_.at(version).at(info.resumed ? 1 : 0)->add();
  tls_seconds_.observe(took);
}

void SenderMetrics::decided(v1::Decision::What what, std::uint64_t recipients) {
  switch (what) {
    case v1::Decision::RETRY: return decided_retry_.add(recipients);
    case v1::Decision::DELIVERED: return decided_delivered_.add(recipients);
    case v1::Decision::FAILED: return decided_failed_.add(recipients);
    default: return;
  }
}

}  // namespace godwit::sender
