#include "sender/metrics.h"

namespace godwit::sender {

SenderMetrics::SenderMetrics(observe::Metrics& metrics)
    : consumed_(metrics.counter("godwit_sender_deliveries_consumed_total",
                                "Deliveries read from outbound and outbound.urgent.")),
      delivered_(metrics.counter("godwit_sender_recipients_total",
                                 "Recipients an attempt or the age ended or deferred.",
                                 {{"result", "delivered"}})),
      deferred_(metrics.counter("godwit_sender_recipients_total",
                                "Recipients an attempt or the age ended or deferred.",
                                {{"result", "deferred"}})),
      bounced_(metrics.counter("godwit_sender_recipients_total",
                               "Recipients an attempt or the age ended or deferred.",
                               {{"result", "bounced"}})),
      expired_(metrics.counter("godwit_sender_recipients_total",
                               "Recipients an attempt or the age ended or deferred.",
                               {{"result", "expired"}})),
      unknown_(metrics.counter("godwit_sender_outcomes_unknown_total",
                               "Recipients of attempts that died after the final dot.")),
      parked_(metrics.counter("godwit_sender_deliveries_parked_total",
                              "Deliveries written to the table retries.")),
      throttled_(metrics.counter("godwit_sender_deliveries_throttled_total",
                                 "Deliveries parked because their lane was slower than its mail.")),
      moved_(metrics.counter("godwit_sender_deliveries_moved_total",
                             "Deliveries that went on in another partition, with their lane.")),
      deferrals_unwritten_(
          metrics.counter("godwit_sender_deferrals_unwritten_total",
                          "Deferrals that stay in memory: only the log's reserve is left.")),
      dead_(metrics.counter("godwit_sender_records_dead_total",
                            "Records that could not be handled.")),
      bodies_read_(metrics.counter("godwit_sender_bodies_read_total",
                                   "Contents read from bodies, each for all who needed it then.")),
      held_(metrics.counter("godwit_sender_recipients_held_total",
                            "Recipients of unknown outcome that wait for an operator.")),
      decided_retry_(metrics.counter("godwit_sender_held_decided_total",
                                     "Held recipients an operator has decided about.",
                                     {{"decision", "retry"}})),
      decided_delivered_(metrics.counter("godwit_sender_held_decided_total",
                                         "Held recipients an operator has decided about.",
                                         {{"decision", "delivered"}})),
      decided_failed_(metrics.counter("godwit_sender_held_decided_total",
                                      "Held recipients an operator has decided about.",
                                      {{"decision", "failed"}})),
      connection_failures_(
          metrics.counter("godwit_sender_connection_failures_total",
                          "Connections to one address that gave no usable session.")),
      tls_failures_(metrics.counter("godwit_sender_tls_failures_total", "Failed TLS handshakes.")),
      committed_(metrics.counter("godwit_sender_ends_committed_total",
                                 "Ends, parkings and states in acknowledged commits.")),
      commits_refused_(metrics.counter("godwit_sender_commits_refused_total",
                                       "Commits the log did not take; they are repeated.")),
      connections_(metrics.gauge("godwit_sender_connections", "Open connections.")),
      held_now_(metrics.gauge("godwit_sender_held",
                              "Recipients of unknown outcome that wait for an operator now.")),
      transaction_seconds_(metrics.histogram("godwit_sender_transaction_seconds",
                                             "From MAIL to the reply to the final dot.",
                                             observe::latency_bounds())),
      commit_seconds_(metrics.histogram("godwit_sender_commit_seconds",
                                        "From a commit to its acknowledgement.",
                                        observe::latency_bounds())) {}

void SenderMetrics::decided(v1::Decision::What what, std::uint64_t recipients) {
  switch (what) {
    case v1::Decision::RETRY: return decided_retry_.add(recipients);
    case v1::Decision::DELIVERED: return decided_delivered_.add(recipients);
    case v1::Decision::FAILED: return decided_failed_.add(recipients);
    default: return;
  }
}

}  // namespace godwit::sender
