#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/log/kafka/admin.h"
#include "common/log/kafka/topics.h"
#include "common/observe/metrics.h"

namespace godwit::log {

// Looks after the brokers: once a second whether they take writes, every kLookDeeper what transactions hide, how far
// groups are behind, and whether mail that waits comes near its retention (every kLookSoon while some does). One thread; asks nobody but
// brokers.
class ClusterWatch {
 public:
  static constexpr std::chrono::seconds kLookDeeper{15};
  static constexpr std::chrono::seconds kLookSoon{1};

  ClusterWatch(KafkaAdmin& admin, const KafkaOptions& options, const KafkaTopics& topics);
  ~ClusterWatch();
  void stop();

  // Why writes are not taken; empty: they are. Threads: any, as what follows.
  [[nodiscard]] std::string problem() const;
  // Which mail has waited for half of its retention, or longer; empty: none. No more of it may come in: what expires
  // was acknowledged.
  [[nodiscard]] std::string overdue() const;

 private:
  void work();
  void look_at_transactions();
  void look_at_positions();
  [[nodiscard]] std::vector<KafkaAdmin::At> places(Topic topic) const;

  KafkaAdmin& admin_;
  const KafkaOptions options_;
  const TopicNames names_;
  const KafkaTopics topics_;
  std::array<observe::Gauge*, kTopicMax + 1> hidden_{};
  std::array<observe::Gauge*, kTopicMax + 1> lag_{};
  observe::Gauge& overdue_partitions_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string problem_;
  std::string overdue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace godwit::log
