#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "common/control/providers.h"
#include "common/control/static_route.h"
#include "common/net/tls.h"
#include "common/observe/metrics.h"
#include "godwit/v1/delivery.pb.h"
#include "sender/lane_metrics.h"
#include "sender/queue_metrics.h"

namespace godwit::sender {

// What the role counts. Methods are events; names are in docs/metrics.md.
// Threads   any
class SenderMetrics {
 public:
  // Borrows everything.
  SenderMetrics(observe::Metrics& metrics, const Clock& clock, const control::StaticRoutes& routes,
                std::size_t domains_max);

  // What is counted of a lane, under its provider.
  [[nodiscard]] std::unique_ptr<LaneMetrics> lane(const LaneId& id);
  // Of all partitions; what a provider's part in it is, is kept by those who know the mail.
  [[nodiscard]] QueueMetrics& queue() { return queue_; }
  [[nodiscard]] observe::Gauge& queue_of(std::string_view provider, std::string_view pool);
  // As metrics name it; valid as long as `site` and the routes.
  [[nodiscard]] std::string_view provider_of(std::string_view site) const {
    return control::provider_label(site, routes_);
  }

  void consumed() { consumed_.add(); }
  void delivered(std::uint64_t recipients) { delivered_.add(recipients); }
  void deferred(std::uint64_t recipients) { deferred_.add(recipients); }
  void bounced(std::uint64_t recipients) { bounced_.add(recipients); }
  void expired(std::uint64_t recipients) { expired_.add(recipients); }
  void cancelled(std::uint64_t recipients) { cancelled_.add(recipients); }
  void outcome_unknown(std::uint64_t recipients) { unknown_.add(recipients); }
  void parked() { parked_.add(); }
  void throttled() { throttled_.add(); }
  void suspended() { suspended_.add(); }
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
  void connected(Duration took) { connect_seconds_.observe(took); }
  void tls_begun(const net::TlsInfo& info, Duration took);
  void tls_failed() { tls_failures_.add(); }
  void transaction(Duration took) { transaction_seconds_.observe(took); }
  void committed(std::uint64_t entries, Duration took) {
    committed_.add(entries);
    commit_seconds_.observe(took);
  }
  void commit_refused() { commits_refused_.add(); }

 private:
  observe::Metrics& metrics_;
  const control::StaticRoutes& routes_;
  QueueMetrics queue_;
  observe::Counter& consumed_;
  observe::Counter& delivered_;
  observe::Counter& deferred_;
  observe::Counter& bounced_;
  observe::Counter& expired_;
  observe::Counter& cancelled_;
  observe::Counter& unknown_;
  observe::Counter& parked_;
  observe::Counter& throttled_;
  observe::Counter& suspended_;
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
  std::array<std::array<observe::Counter*, 2>, 2> tls_begun_{};  // by version, and whether resumed
  observe::Counter& committed_;
  observe::Counter& commits_refused_;
  observe::Gauge& connections_;
  observe::Gauge& held_now_;
  observe::Histogram& connect_seconds_;
  observe::Histogram& tls_seconds_;
  observe::Histogram& transaction_seconds_;
  observe::Histogram& commit_seconds_;
};

}  // namespace godwit::sender
