#include "bouncer/metrics.h"

namespace godwit::bouncer {

BouncerMetrics::BouncerMetrics(observe::Metrics& metrics)
    : late_(metrics.counter("godwit_bouncer_late_bounces_total",
                            "Events `bounced` with `late` written.")),
      complaints_(
          metrics.counter("godwit_bouncer_complaints_total", "Events `complained` written.")),
      nobodys_(metrics.counter("godwit_bouncer_unattributed_total",
                               "Mails that came back and name no recipient of ours.")),
      told_(metrics.counter("godwit_bouncer_notifications_total",
                            "Notifications (DSN) to submitters written.")),
      dead_(metrics.counter("godwit_bouncer_dead_total", "Records put into `dead`.")),
      commit_failures_(metrics.counter("godwit_bouncer_commit_failures_total",
                                       "Commits that failed; they are repeated.")) {
  for (const report::Kind kind :
       {report::Kind::kOther, report::Kind::kBounce, report::Kind::kFeedback,
        report::Kind::kAutoreply, report::Kind::kUnsubscribe}) {
    kinds_.at(static_cast<std::size_t>(kind)) =
        &metrics.counter("godwit_bouncer_reports_total", "Mails that came back, by kind.",
                         {{"kind", std::string(report::kind_name(kind))}});
  }
}

}  // namespace godwit::bouncer
