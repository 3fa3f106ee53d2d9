#include "bouncer/metrics.h"

namespace godwit::bouncer {
namespace {

using observe::CounterDefinition;

const CounterDefinition kReports{
    "godwit_bouncer_reports_total", "Mails that came back, by kind.", {"kind"}};
const CounterDefinition kLate{"godwit_bouncer_late_bounces_total",
                              "Events `bounced` with `late` written."};
const CounterDefinition kComplaints{"godwit_bouncer_complaints_total",
                                    "Events `complained` written."};
const CounterDefinition kUnattributed{"godwit_bouncer_unattributed_total",
                                      "Mails that came back and name no recipient of ours."};
const CounterDefinition kNotifications{"godwit_bouncer_notifications_total",
                                       "Notifications (DSN) to submitters written."};
const CounterDefinition kDead{"godwit_bouncer_dead_total", "Records put into `dead`."};
const CounterDefinition kCommitFailures{"godwit_bouncer_commit_failures_total",
                                        "Commits that failed; they are repeated."};
const observe::HistogramDefinition kCommit{"godwit_bouncer_commit_seconds",
                                           "From a commit to its acknowledgement.",
                                           observe::kLatencyBounds};

}  // namespace

BouncerMetrics::BouncerMetrics(observe::Metrics& metrics)
    : late_(metrics.counter(kLate)),
      complaints_(metrics.counter(kComplaints)),
      nobodys_(metrics.counter(kUnattributed)),
      told_(metrics.counter(kNotifications)),
      dead_(metrics.counter(kDead)),
      commit_failures_(metrics.counter(kCommitFailures)),
      commit_(metrics.histogram(kCommit)) {
  for (const report::Kind kind :
       {report::Kind::kOther, report::Kind::kBounce, report::Kind::kFeedback,
        report::Kind::kAutoreply, report::Kind::kUnsubscribe}) {
    kinds_.at(static_cast<std::size_t>(kind)) =
        &metrics.counter(kReports, {report::kind_name(kind)});
  }
}

}  // namespace godwit::bouncer
