#include "common/log/kafka/cluster_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

// What is written in transactions.
constexpr std::array kTransactional{Topic::kOutbound, Topic::kOutboundUrgent, Topic::kRetries,
                                    Topic::kEvents, Topic::kDead};

// What was acknowledged to somebody, and who finishes it.
struct Intake {
  Topic topic;
  const char* group;
};
constexpr std::array kIntakes{
    Intake{Topic::kAccepted, "router"}, Intake{Topic::kAcceptedUrgent, "router"},
    Intake{Topic::kOutbound, "sender"}, Intake{Topic::kOutboundUrgent, "sender"},
    Intake{Topic::kReports, "bouncer"}};

const observe::GaugeDefinition kOverdue{
    "godwit_kafka_overdue_partitions",
    "Partitions with a record that has waited for half of its retention, or longer."};
const observe::GaugeDefinition kHidden{
    "godwit_kafka_hidden_offsets",
    "High watermark less last stable offset, of the worst partition: what an open transaction "
    "hides.",
    {"topic"}};
const observe::GaugeDefinition kLag{
    "godwit_kafka_lag_offsets",
    "Last stable offset less the group's position, of all partitions of the cluster (each process "
    "tells the same): unfinished records, and the markers of transactions among them.",
    {"group", "topic"}};

}  // namespace

ClusterWatch::ClusterWatch(KafkaAdmin& admin, const KafkaOptions& options,
                           const KafkaTopics& topics)
    : admin_(admin),
      options_(options),
      names_(options.topic_prefix),
      topics_(topics),
      overdue_partitions_(options.metrics->gauge(kOverdue)) {
  for (const Topic topic : kTransactional) {
    hidden_[static_cast<std::size_t>(topic)] =
        &options.metrics->gauge(kHidden, {topic_name(topic)});
  }
  for (const auto& [topic, group] : kIntakes) {
    lag_[static_cast<std::size_t>(topic)] =
        &options.metrics->gauge(kLag, {group, topic_name(topic)});
  }
  thread_ = std::thread([this] { work(); });
}

ClusterWatch::~ClusterWatch() {
  stop();
}

void ClusterWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::string ClusterWatch::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::string ClusterWatch::overdue() const {
  const std::lock_guard lock(mutex_);
  return overdue_;
}

std::vector<KafkaAdmin::At> ClusterWatch::places(Topic topic) const {
  std::vector<KafkaAdmin::At> places;
  const PartitionId count = topics_.partitions[static_cast<std::size_t>(topic)];
  for (PartitionId p = 0; p < count; ++p) places.push_back({names_.of(topic), p});
  return places;
}

void ClusterWatch::work() {
  Instant deeper = std::chrono::steady_clock::now() + 1s;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, 1s, [this] { return stopping_; })) {
    lock.unlock();
    const auto writable =
        admin_.writable(names_.of(Topic::kAccepted), options_.min_insync_replicas, 3s);
    std::string problem = writable ? std::string() : writable.error().context;
    if (writable && std::chrono::steady_clock::now() >= deeper) {
      look_at_transactions();
      look_at_positions();
      deeper = std::chrono::steady_clock::now() + (overdue().empty() ? kLookDeeper : kLookSoon);
    }
    lock.lock();
    if (problem.empty() != problem_.empty()) {
      if (problem.empty()) {
        kLog.info("the brokers take writes again");
      } else {
        kLog.error("the brokers take no writes", {{"problem", problem}});
      }
    }
    problem_ = std::move(problem);
  }
}

void ClusterWatch::look_at_transactions() {
  for (const Topic topic : kTransactional) {
    const auto stable = admin_.offsets(places(topic), KafkaAdmin::Edge::kEndCommitted);
    const auto written = admin_.offsets(places(topic), KafkaAdmin::Edge::kEndWritten);
    if (!stable || !written) return;
    Offset worst = 0;
    for (std::size_t p = 0; p < stable->size(); ++p)
      worst = std::max(worst, (*written)[p].offset - (*stable)[p].offset);
    hidden_[static_cast<std::size_t>(topic)]->set(static_cast<double>(worst));
  }
}

// The first offset that is younger than half of the retention, and a position before it: what lies between waits.
void ClusterWatch::look_at_positions() {
  std::string found;
  std::size_t partitions = 0;
  for (const auto& [topic, group] : kIntakes) {
    const std::chrono::hours kept = retention_of(topic, options_);
    const auto young = admin_.offsets_since(places(topic), system_clock().now() - kept / 2);
    const auto starts = admin_.offsets(places(topic), KafkaAdmin::Edge::kStart);
    const auto finished = admin_.committed(names_.prefix() + group, places(topic));
    const auto ends = admin_.offsets(places(topic), KafkaAdmin::Edge::kEndCommitted);
    if (!young || !starts || !finished || !ends) return;
    Offset lag = 0;
    for (std::size_t p = 0; p < young->size(); ++p) {
      const Offset next = std::max((*finished)[p].offset, (*starts)[p].offset);
      lag += std::max<Offset>((*ends)[p].offset - next, 0);
      if (next >= (*young)[p].offset) continue;
      ++partitions;
      if (found.empty()) {
        found = fmt::format("{} {}: records wait for more than half of the {} h they are kept",
                            names_.of(topic), p, kept.count());
      }
    }
    lag_[static_cast<std::size_t>(topic)]->set(static_cast<double>(lag));
  }
  overdue_partitions_.set(static_cast<double>(partitions));
  const std::lock_guard lock(mutex_);
  if (!found.empty() && overdue_.empty()) kLog.error("no mail is taken", {{"problem", found}});
  overdue_ = std::move(found);
}

}  // namespace godwit::log
