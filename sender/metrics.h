#pragma once

#include "common/observe/metrics.h"
#include "godwit/v1/delivery.pb.h"

namespace godwit::sender {

// What the role counts. Methods are events; names are in sender/README.md.
// Threads   any
class SenderMetrics {
 public:
  explicit SenderMetrics(observe::Metrics& metrics);

  void consumed() { consumed_.add(); }
  void delivered(std::uint64_t recipients) { delivered_.add(recipients); }
  void deferred(std::uint64_t recipients) { deferred_.add(recipients); }
  void bounced(std::uint64_t recipients) { bounced_.add(recipients); }
  void expired(std::uint64_t recipients) { expired_.add(recipients); }
  void outcome_unknown(std::uint64_t recipients) { unknown_.add(recipients); }
  void parked() { parked_.add(); }
  void throttled() { throttled_.add(); }
  void moved() { moved_.add(); }
  void deferral_unwritten() { deferrals_unwritten_.add(); }
  void dead() { dead_.add(); }
  void body_read() { bodies_read_.add(); }
  void held(std::uint64_t recipients) { held_.add(recipients); }
  void decided(v1::Decision::What what, std::uint64_t recipients);
  // Its sum is kept by those who know the mail (QueueTally).
  [[nodiscard]] observe::Gauge& held_now() { return held_now_; }
  void connection_opened() { connections_.add(1); }
  void connection_closed() { connections_.subtract(1); }
  void connection_failed() { connection_failures_.add(); }
  void tls_failed() { tls_failures_.add(); }
  void transaction(Duration took) { transaction_seconds_.observe(took); }
  void committed(std::uint64_t entries, Duration took) {
    committed_.add(entries);
    commit_seconds_.observe(took);
  }
  void commit_refused() { commits_refused_.add(); }

 private:
  observe::Counter& consumed_;
  observe::Counter& delivered_;
  observe::Counter& deferred_;
  observe::Counter& bounced_;
  observe::Counter& expired_;
  observe::Counter& unknown_;
  observe::Counter& parked_;
  observe::Counter& throttled_;
  observe::Counter& moved_;
  observe::Counter& deferrals_unwritten_;
  observe::Counter& dead_;
  observe::Counter& bodies_read_;
  observe::Counter& held_;
  observe::Counter& decided_retry_;
  observe::Counter& decided_delivered_;
  observe::Counter& decided_failed_;
  observe::Counter& connection_failures_;
  observe::Counter& tls_failures_;
  observe::Counter& committed_;
  observe::Counter& commits_refused_;
  observe::Gauge& connections_;
  observe::Gauge& held_now_;
  observe::Histogram& transaction_seconds_;
  observe::Histogram& commit_seconds_;
};

}  // namespace godwit::sender
