#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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

extern const observe::GaugeDefinition kSessions;
extern const observe::GaugeDefinition kMessageBytes;
extern const observe::GaugeDefinition kMessageBytesMax;
extern const observe::GaugeDefinition kCertificateNotAfter;

// What ingress counts. One for the role; methods are events. Threads: any.
class IngressMetrics {
 public:
  explicit IngressMetrics(observe::Metrics& metrics);

  void session_begun(ListenerKind kind) { of(sessions_, kind).add(); }
  void session_refused() { sessions_refused_.add(); }
  // Why a connection to a port behind proxies was closed before it became a session.
  enum class NoClient : std::uint8_t { kNoProxy, kNoHeader, kTimeout };
  void client_unknown(NoClient why) { clients_unknown_.at(static_cast<std::size_t>(why))->add(); }
  // A reply 4xx or 5xx to a command that our own rules were asked about.
  enum class Command : std::uint8_t { kMail, kRcpt, kData };
  void command_refused(Command command, bool permanent) {
    commands_refused_.at(static_cast<std::size_t>(command)).at(permanent ? 1 : 0)->add();
  }
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
  void tls_begun(std::string_view version, Duration took);
  void stored(Duration time) { store_.observe(time); }

 private:
  using PerKind = std::array<observe::Counter*, 3>;
  static PerKind per_kind(observe::Metrics& metrics, const observe::CounterDefinition& definition);
  static observe::Counter& of(const PerKind& counters, ListenerKind kind) {
    return *counters.at(static_cast<std::size_t>(kind));
  }

  PerKind messages_;
  PerKind sessions_;
  std::array<std::array<observe::Counter*, 2>, 3> commands_refused_{};
  std::array<observe::Counter*, 3> clients_unknown_;
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
  observe::Counter& tls_1_2_;
  observe::Counter& tls_1_3_;
  observe::Histogram& tls_seconds_;
  observe::Histogram& store_;
};

}  // namespace godwit::ingress
