#pragma once

// What tests of the log on Kafka share: a broker's address, logs of several nodes, and waiting.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_directory.h"
#include "common/base/test_eventually.h"
#include "common/log/kafka/kafka.h"
#include "common/log/log_test_support.h"
#include "common/observe/metrics.h"

namespace godwit::log {

// tests/kafka starts a broker and names it here.
inline std::string test_brokers() {
  const char* brokers = std::getenv("GODWIT_KAFKA_BROKERS");
  CHECK(brokers != nullptr, "GODWIT_KAFKA_BROKERS names no broker");
  return brokers;
}

// A prefix of its own, of this run.
inline std::string fresh_prefix(const std::string& name) {
  static std::atomic<int> count = 0;
  return name + "-" + std::to_string(to_unix_ms(system_clock().now())) + "-" +
         std::to_string(++count) + ".";
}

// One node: its log, its directory, and its place in the group "sender".
class KafkaNode {
 public:
  KafkaNode(const std::string& prefix, const std::string& name) {
    options.brokers = {test_brokers()};
    options.topic_prefix = prefix;
    options.cluster = "test";
    options.node = name;
    options.directory = directory_.path() / "kafka";
    options.partitions = 2;
    options.replication = 1;
    options.min_insync_replicas = 1;
    options.commit_interval = std::chrono::milliseconds(10);
    options.transaction_lanes = 2;
    options.metrics = &metrics;
  }
  KafkaNode& open() {
    auto opened = open_kafka(options, system_clock());
    CHECK(opened.has_value(), "{}", opened.error().to_string());
    log = *std::move(opened);
    return *this;
  }
  KafkaNode& join(GroupSpec spec = sender_spec()) {
    listener = std::make_shared<RecordingListener>();
    auto joined = log->join(std::move(spec), listener);
    CHECK(joined.has_value(), "{}", joined.error().to_string());
    group = *std::move(joined);
    return *this;
  }
  // Stops in order; its copies and its place in the group are kept.
  void close() {
    if (group) group->stop(kPatience);
    if (listener) listener->forget();
    group.reset();
    log.reset();
  }
  ~KafkaNode() { close(); }

  // A line of the metrics, its value; -1: there is none.
  [[nodiscard]] double metric(const std::string& series) const {
    const std::string text = metrics.text();
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + series.size() + 2);
  }

 private:
  TestDirectory directory_;

 public:
  observe::Metrics metrics;
  KafkaOptions options;
  std::unique_ptr<Log> log;
  std::shared_ptr<RecordingListener> listener;
  std::unique_ptr<Group> group;
};

}  // namespace godwit::log
