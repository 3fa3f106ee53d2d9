#pragma once

#include <array>
#include <string_view>

#include "common/observe/metrics.h"
#include "ingress/config.h"

namespace godwit::ingress {

[[nodiscard]] constexpr std::string_view kind_name(ListenerKind kind) {
  switch (kind) {
    case ListenerKind::kRelay: return "relay";
    case ListenerKind::kSubmission: return "submission";
    case ListenerKind::kInbound: return "inbound";
  }
  return "";
}

// What ingress counts. One for the role; methods are events. Threads: any.
class IngressMetrics {
 public:
  explicit IngressMetrics(observe::Metrics& metrics)
      : messages_(per_kind(metrics, "godwit_ingress_messages_accepted_total",
                           "Messages acknowledged to their client.")),
        sessions_(per_kind(metrics, "godwit_ingress_sessions_total", "SMTP sessions begun.")),
        recipients_(metrics.counter("godwit_ingress_recipients_accepted_total",
                                    "Recipients of acknowledged messages.")),
        bytes_(metrics.counter("godwit_ingress_content_bytes_total",
                               "Octets of acknowledged messages.")),
        refused_transient_(metrics.counter("godwit_ingress_messages_refused_total",
                                           "Messages answered 4xx or 5xx behind their content.",
                                           {{"class", "4xx"}})),
        refused_permanent_(metrics.counter("godwit_ingress_messages_refused_total",
                                           "Messages answered 4xx or 5xx behind their content.",
                                           {{"class", "5xx"}})),
        sessions_refused_(metrics.counter("godwit_ingress_sessions_refused_total",
                                          "Connections over a limit, answered 421.")),
        over_budget_(
            metrics.counter("godwit_ingress_over_budget_total",
                            "Messages refused because budgets.message_bytes_max was used.")),
        auth_ok_(metrics.counter("godwit_ingress_auth_total", "Logins.", {{"result", "ok"}})),
        auth_failed_(
            metrics.counter("godwit_ingress_auth_total", "Logins.", {{"result", "failed"}})),
        password_hashes_(metrics.counter("godwit_ingress_password_hashes_total",
                                         "Logins that cost a password hash.")),
        timeouts_(metrics.counter("godwit_ingress_timeouts_total", "Sessions closed for silence.")),
        tls_failed_(
            metrics.counter("godwit_ingress_tls_failed_total", "TLS handshakes that failed.")),
        store_(metrics.histogram("godwit_ingress_store_seconds",
                                 "From the final dot to the log's acknowledgement.",
                                 observe::latency_bounds())) {}

  void session_begun(ListenerKind kind) { of(sessions_, kind).add(); }
  void session_refused() { sessions_refused_.add(); }
  void message_accepted(ListenerKind kind, std::size_t recipients, std::uint64_t bytes) {
    of(messages_, kind).add();
    recipients_.add(recipients);
    bytes_.add(bytes);
  }
  void message_refused(bool permanent) {
    (permanent ? refused_permanent_ : refused_transient_).add();
  }
  void over_budget() { over_budget_.add(); }
  void auth_ended(bool ok) { (ok ? auth_ok_ : auth_failed_).add(); }
  void password_hashed() { password_hashes_.add(); }
  void timed_out() { timeouts_.add(); }
  void tls_failed() { tls_failed_.add(); }
  void stored(Duration time) { store_.observe(time); }

 private:
  using PerKind = std::array<observe::Counter*, 3>;
  static PerKind per_kind(observe::Metrics& metrics, std::string_view name, std::string_view help) {
    PerKind counters{};
    for (const auto kind :
         {ListenerKind::kRelay, ListenerKind::kSubmission, ListenerKind::kInbound}) {
      counters.at(static_cast<std::size_t>(kind)) =
          &metrics.counter(name, help, {{"kind", kind_name(kind)}});
    }
    return counters;
  }
  static observe::Counter& of(const PerKind& counters, ListenerKind kind) {
    return *counters.at(static_cast<std::size_t>(kind));
  }

  PerKind messages_;
  PerKind sessions_;
  observe::Counter& recipients_;
  observe::Counter& bytes_;
  observe::Counter& refused_transient_;
  observe::Counter& refused_permanent_;
  observe::Counter& sessions_refused_;
  observe::Counter& over_budget_;
  observe::Counter& auth_ok_;
  observe::Counter& auth_failed_;
  observe::Counter& password_hashes_;
  observe::Counter& timeouts_;
  observe::Counter& tls_failed_;
  observe::Histogram& store_;
};

}  // namespace godwit::ingress
