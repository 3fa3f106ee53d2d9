#include "sender/lane_metrics.h"

#include <algorithm>

namespace godwit::sender {
namespace {

const observe::CounterDefinition kOutcomes{"godwit_sender_provider_recipients_total",
                                           "Recipients by what an attempt or their age came to, "
                                           "and the class of the reply (`none` of what was "
                                           "delivered); each attempt counts.",
                                           {"provider", "pool", "result", "class"}};
const observe::CounterDefinition kOfSource{"godwit_sender_source_recipients_total",
                                           "Recipients by what an attempt from a source came to.",
                                           {"source", "result"}};
const observe::HistogramDefinition kDeliverySeconds{
    "godwit_sender_delivery_seconds",
    "From acceptance to delivery, of each recipient.",
    observe::kQueueBounds,
    {"provider"}};
const observe::HistogramDefinition kFirstAttemptSeconds{
    "godwit_sender_first_attempt_seconds",
    "From acceptance to the end of the first attempt, of each delivery.",
    observe::kQueueBounds,
    {"priority"}};
const observe::GaugeDefinition kWaitingLanes{
    "godwit_sender_lanes_waiting",
    "Lanes with mail in memory that does not go out now, by the limit or state it waits for.",
    {"provider", "pool", "reason"}};
const observe::CounterDefinition kWaits{
    "godwit_sender_lane_waits_total",
    "Times that a lane with mail began to wait for a limit or a state.",
    {"provider", "pool", "reason"}};

constexpr std::array<std::string_view, 4> kResultNames{"delivered", "deferred", "bounced",
                                                       "expired"};

}  // namespace

LaneMetrics::LaneMetrics(observe::Metrics& metrics, std::string_view provider, const PoolName& pool)
    : metrics_(metrics),
      provider_(provider),
      pool_(pool.text()),
      delivered_(metrics.counter(kOutcomes, {provider_, pool_, kResultNames[kDelivered], "none"})),
      delivery_seconds_(metrics.histogram(kDeliverySeconds, {provider_})),
      first_attempt_seconds_{&metrics.histogram(kFirstAttemptSeconds, {"bulk"}),
                             &metrics.histogram(kFirstAttemptSeconds, {"urgent"})} {}

LaneMetrics::Result LaneMetrics::result_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDelivered: return kDelivered;
    case Verdict::kBounced: return kBounced;
    default: return kDeferred;
  }
}

void LaneMetrics::attempted(const AttemptReport& report, Duration age, bool first, bool urgent) {
  age = std::max(age, Duration{});
  if (first) first_attempt_seconds_.at(urgent ? 1 : 0)->observe(age);
  PerResult& source = of_source(report.source);
  for (const RecipientResult& one : report.recipients) {
    if (one.verdict == Verdict::kHeld) continue;  // it was not offered
    const Result result = result_of(one.verdict);
    source.at(result)->add();
    if (result == kDelivered) {
      delivered_.add();
      delivery_seconds_.observe(age);
    } else {
      of_class(result, one.category.empty() ? "other" : one.category).add();
    }
  }
}

void LaneMetrics::expired(std::uint32_t recipients) {
  of_class(kExpired, "message-expired").add(recipients);
}

void LaneMetrics::stands(Wait why) {
  if (why == standing_) return;
  if (standing_ != Wait::kNone) standing_by_.at(standing_).lanes->subtract(1);
  standing_ = why;
  if (why == Wait::kNone) return;
  const auto [at, added] = standing_by_.try_emplace(why);
  if (added) {
    at->second = {&metrics_.gauge(kWaitingLanes, {provider_, pool_, wait_name(why)}),
                  &metrics_.counter(kWaits, {provider_, pool_, wait_name(why)})};
  }
  at->second.lanes->add(1);
  at->second.times->add();
}

observe::Counter& LaneMetrics::of_class(Result result, std::string_view category) {
  auto& known = by_class_.at(result);
  auto at = known.find(category);
  if (at == known.end()) {
    observe::Counter& counter =
        metrics_.counter(kOutcomes, {provider_, pool_, kResultNames.at(result), category});
    at = known.emplace(category, &counter).first;
  }
  return *at->second;
}

LaneMetrics::PerResult& LaneMetrics::of_source(const SourceName& source) {
  const auto [at, added] = by_source_.try_emplace(source);
  if (added) {
    for (std::size_t i = 0; i < at->second.size(); ++i) {
      at->second[i] = &metrics_.counter(kOfSource, {source.text(), kResultNames[i]});
    }
  }
  return at->second;
}

}  // namespace godwit::sender
