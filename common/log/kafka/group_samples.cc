// What a scrape learns about a group.

#include <algorithm>
#include <functional>

#include "common/log/kafka/group.h"

namespace godwit::log {
namespace {

using observe::GaugeDefinition;

const GaugeDefinition kOwned{
    "godwit_kafka_partitions_owned", "Partitions that this process works on.", {"group"}};
const GaugeDefinition kTaking{"godwit_kafka_partitions_taking",
                              "Partitions that it has from the group, and not yet.",
                              {"group"}};
const GaugeDefinition kHalted{"godwit_kafka_partitions_halted",
                              "Partitions of which nobody knows from where to read.",
                              {"group"}};
const GaugeDefinition kLeaseAge{
    "godwit_kafka_lease_age_seconds",
    "Since the newest acknowledged transaction of a partition was sent: of the worst.",
    {"group"}};
const GaugeDefinition kCommitQueue{"godwit_kafka_commit_queue_bytes",
                                   "Octets of commits that wait for their transaction.",
                                   {"group"}};
const GaugeDefinition kOldest{
    "godwit_kafka_oldest_unfinished_seconds",
    "Age of the oldest record that was read and is not finished, of the worst partition.",
    {"group", "topic"}};

}  // namespace

void KafkaGroup::sample() {
  observe::Metrics& metrics = *env_.options.metrics;
  const auto add = [&](const GaugeDefinition& definition, std::function<double()> value) {
    samples_.push_back(metrics.sampled(definition, {spec_.name}, std::move(value)));
  };
  const auto count = [this](auto which) {
    const std::lock_guard lock(mutex_);
    return static_cast<double>(
        std::ranges::count_if(places_, [&](const auto& place) { return which(place.second); }));
  };
  add(kOwned,
      [count] { return count([](const Place& place) { return place.phase == Phase::kOwned; }); });
  add(kTaking, [count] {
    return count([](const Place& place) {
      return place.phase == Phase::kTaking || place.phase == Phase::kConfirming;
    });
  });
  add(kHalted, [count] { return count([](const Place& place) { return !place.halted.empty(); }); });
  add(kLeaseAge, [this] {
    const Instant now = std::chrono::steady_clock::now();
    double worst = 0;
    for (const auto& owned : all_owned()) {
      worst = std::max(worst, std::chrono::duration<double>(now - owned->acknowledged()).count());
    }
    return worst;
  });
  add(kCommitQueue, [this] {
    std::size_t bytes = 0;
    for (const auto& lane : lanes_) bytes += lane->queue_bytes();
    return static_cast<double>(bytes);
  });
  for (const Topic topic : read_topics()) {
    samples_.push_back(metrics.sampled(kOldest, {spec_.name, topic_name(topic)}, [this, topic] {
      const Timestamp now = system_clock().now();
      double worst = 0;
      for (const auto& owned : all_owned()) {
        if (const auto oldest = owned->oldest_unfinished(topic))
          worst = std::max(worst, std::chrono::duration<double>(now - *oldest).count());
      }
      return worst;
    }));
  }
}

std::vector<std::shared_ptr<OwnedPartition>> KafkaGroup::all_owned() const {
  std::vector<std::shared_ptr<OwnedPartition>> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [partition, place] : places_) {
    if (place.phase == Phase::kOwned && place.owned) all.push_back(place.owned);
  }
  return all;
}

}  // namespace godwit::log
