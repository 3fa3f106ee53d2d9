#include "common/log/kafka/metrics.h"

namespace godwit::log {

namespace {

const observe::HistogramDefinition kSeconds{
    "godwit_kafka_commit_seconds",
    "From the begin of a transaction to its acknowledgement.",
    observe::kLatencyBounds,
    {"group"}};
const observe::CounterDefinition kTransactions{
    "godwit_kafka_transactions_total", "Transactions by how they came out.", {"group", "outcome"}};
const observe::CounterDefinition kProducersReplaced{
    "godwit_kafka_transactional_producers_replaced_total",
    "Transactional producers that were given up after an error.",
    {"group"}};
const observe::GaugeDefinition kRebuildLeft{
    "godwit_kafka_rebuild_offsets_left",
    "Offsets of tables still to be read for the partitions that are being taken.",
    {"group"}};
const observe::CounterDefinition kExpired{
    "godwit_kafka_expired_offsets_total",
    "Offsets that expired before the group had finished them.",
    {"group"}};

}  // namespace

GroupMetrics::GroupMetrics(observe::Metrics& metrics, std::string_view group)
    : seconds_(metrics.histogram(kSeconds, {group})),
      producers_replaced_(metrics.counter(kProducersReplaced, {group})),
      rebuild_left_(metrics.gauge(kRebuildLeft, {group})),
      expired_(metrics.counter(kExpired, {group})) {
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    outcomes_[i] = &metrics.counter(kTransactions, {group, outcome_name(TransactionEnd(i))});
  }
}

void GroupMetrics::transaction(TransactionEnd end, Duration took) {
  outcomes_.at(static_cast<std::size_t>(end))->add();
  if (end == TransactionEnd::kCommitted) seconds_.observe(took);
}

}  // namespace godwit::log
