#include "ingress/metrics.h"

namespace godwit::ingress {

using observe::CounterDefinition;
using observe::GaugeDefinition;
using observe::HistogramDefinition;

const GaugeDefinition kSessions{"godwit_ingress_sessions", "SMTP sessions now."};
const GaugeDefinition kMessageBytes{"godwit_ingress_message_bytes",
                                    "Octets of content not yet acknowledged."};
const GaugeDefinition kMessageBytesMax{
    "godwit_ingress_message_bytes_max",
    "What godwit_ingress_message_bytes may come to: budgets.message_bytes_max."};
const GaugeDefinition kCertificateNotAfter{
    "godwit_ingress_tls_certificate_not_after_seconds",
    "When the certificate of ingress.tls ends, Unix time; 0 without one."};

namespace {

const CounterDefinition kSessionsBegun{
    "godwit_ingress_sessions_total", "SMTP sessions begun.", {"kind"}};
const CounterDefinition kSessionsRefused{"godwit_ingress_sessions_refused_total",
                                         "Connections over a limit, answered 421."};
const CounterDefinition kClientsUnknown{
    "godwit_ingress_proxy_refused_total",
    "Connections to listeners with proxy_networks that were closed because no PROXY header said "
    "who the client is.",
    {"reason"}};
const CounterDefinition kCommandsRefused{
    "godwit_ingress_commands_refused_total",
    "MAIL, RCPT and DATA that rules, limits or the log's state answered 4xx or 5xx.",
    {"command", "class"}};
const CounterDefinition kMessages{
    "godwit_ingress_messages_accepted_total", "Messages acknowledged to their client.", {"kind"}};
const CounterDefinition kRecipients{"godwit_ingress_recipients_accepted_total",
                                    "Recipients of acknowledged messages."};
const CounterDefinition kContentBytes{"godwit_ingress_content_bytes_total",
                                      "Octets of acknowledged messages."};
const CounterDefinition kRefused{"godwit_ingress_messages_refused_total",
                                 "Messages answered 4xx or 5xx behind their content.",
                                 {"class"}};
const CounterDefinition kOverBudget{"godwit_ingress_over_budget_total",
                                    "Messages refused because budgets.message_bytes_max was used."};
const CounterDefinition kAuth{"godwit_ingress_auth_total", "Logins.", {"result"}};
const CounterDefinition kPasswordHashes{"godwit_ingress_password_hashes_total",
                                        "Logins that cost a password hash."};
const CounterDefinition kTimeouts{"godwit_ingress_timeouts_total", "Sessions closed for silence."};
const CounterDefinition kTlsFailed{"godwit_ingress_tls_failed_total",
                                   "TLS handshakes that failed."};
const CounterDefinition kTlsBegun{
    "godwit_ingress_tls_handshakes_total", "TLS handshakes that succeeded.", {"version"}};
const HistogramDefinition kTlsSeconds{"godwit_ingress_tls_handshake_seconds",
                                      "TLS handshakes that succeeded.", observe::kLatencyBounds};
const HistogramDefinition kStore{"godwit_ingress_store_seconds",
                                 "From the final dot to the log's acknowledgement.",
                                 observe::kLatencyBounds};

}  // namespace

IngressMetrics::IngressMetrics(observe::Metrics& metrics)
    : messages_(per_kind(metrics, kMessages)),
      sessions_(per_kind(metrics, kSessionsBegun)),
      clients_unknown_{&metrics.counter(kClientsUnknown, {"not_a_proxy"}),
                       &metrics.counter(kClientsUnknown, {"malformed"}),
                       &metrics.counter(kClientsUnknown, {"timeout"})},
      recipients_(metrics.counter(kRecipients)),
      bytes_(metrics.counter(kContentBytes)),
      refused_transient_(metrics.counter(kRefused, {"4xx"})),
      refused_permanent_(metrics.counter(kRefused, {"5xx"})),
      sessions_refused_(metrics.counter(kSessionsRefused)),
      over_budget_(metrics.counter(kOverBudget)),
      auth_ok_(metrics.counter(kAuth, {"ok"})),
      auth_failed_(metrics.counter(kAuth, {"failed"})),
      password_hashes_(metrics.counter(kPasswordHashes)),
      timeouts_(metrics.counter(kTimeouts)),
      tls_failed_(metrics.counter(kTlsFailed)),
      tls_1_2_(metrics.counter(kTlsBegun, {"TLSv1.2"})),
      tls_1_3_(metrics.counter(kTlsBegun, {"TLSv1.3"})),
      tls_seconds_(metrics.histogram(kTlsSeconds)),
      store_(metrics.histogram(kStore)) {
  constexpr std::array<std::string_view, 3> kCommands{"mail", "rcpt", "data"};
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    commands_refused_[i] = {&metrics.counter(kCommandsRefused, {kCommands[i], "4xx"}),
                            &metrics.counter(kCommandsRefused, {kCommands[i], "5xx"})};
  }
}

void IngressMetrics::tls_begun(std::string_view version, Duration took) {
  (version == "TLSv1.2" ? tls_1_2_ : tls_1_3_).add();  // there are no others: common/net/tls.h
  tls_seconds_.observe(took);
}

IngressMetrics::PerKind IngressMetrics::per_kind(observe::Metrics& metrics,
                                                 const CounterDefinition& definition) {
  PerKind counters{};
  for (const auto kind :
       {ListenerKind::kRelay, ListenerKind::kSubmission, ListenerKind::kInbound}) {
    counters.at(static_cast<std::size_t>(kind)) = &metrics.counter(definition, {kind_name(kind)});
  }
  return counters;
}

}  // namespace godwit::ingress
