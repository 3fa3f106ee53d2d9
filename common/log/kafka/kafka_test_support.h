#pragma once

// What tests of the log on Kafka share: a broker's address, logs of several nodes, and a hand in Kafka beside them.

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/log/kafka/kafka.h"
#include "common/log/log_test_support.h"
#include "common/log/test_directory.h"
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

// True within kPatience?
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
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

// A client that is not ours, in one transaction.
class Foreign {
 public:
  explicit Foreign(const std::string& id) {
    rd_kafka_conf_t* config = rd_kafka_conf_new();
    std::array<char, 256> problem{};
    const auto set = [&](const char* key, const std::string& value) {
      CHECK(rd_kafka_conf_set(config, key, value.c_str(), problem.data(), problem.size()) ==
                RD_KAFKA_CONF_OK,
            "{}", problem.data());
    };
    set("bootstrap.servers", test_brokers());
    set("transactional.id", id);
    set("transaction.timeout.ms", "30000");
    set("log_level", "0");
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, config, problem.data(), problem.size());
    CHECK(handle_ != nullptr, "{}", problem.data());
    done(rd_kafka_init_transactions(handle_, -1));
    done(rd_kafka_begin_transaction(handle_));
  }
  ~Foreign() { rd_kafka_destroy(handle_); }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  // Written, and not committed.
  void write(const std::string& topic, int partition, const std::string& key,
             const std::string& value) {
    const auto code =
        rd_kafka_producev(handle_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key.data(), key.size()),
                          RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR, "{}", rd_kafka_err2str(code));
    CHECK(rd_kafka_flush(handle_, 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void commit() { done(rd_kafka_commit_transaction(handle_, -1)); }

  // Everything of the partition below `offset` is gone, as after its retention.
  void expire(const std::string& topic, int partition, Offset offset) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
    rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t* queue = rd_kafka_queue_new(handle_);
    rd_kafka_DeleteRecords(handle_, &request, 1, nullptr, queue);
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 30'000);
    CHECK(event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
  }

 private:
  static void done(rd_kafka_error_t* error) {
    CHECK(error == nullptr, "{}", rd_kafka_error_string(error));
  }
  rd_kafka_t* handle_;
};

}  // namespace godwit::log
