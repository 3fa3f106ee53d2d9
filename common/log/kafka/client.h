#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/log/kafka/options.h"
#include "common/log/types.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_error_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_partition_list_s;

namespace godwit::log {

struct HandleDeleter {
  void operator()(rd_kafka_s* handle) const;
};
// A client of librdkafka: a few threads and a connection to each broker. Destroying it blocks until they ended.
using Handle = std::unique_ptr<rd_kafka_s, HandleDeleter>;

struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_s* list) const;
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, PartitionListDeleter>;

struct KafkaErrorDeleter {
  void operator()(rd_kafka_error_s* error) const;
};
using KafkaError = std::unique_ptr<rd_kafka_error_s, KafkaErrorDeleter>;

// Whom a client's callbacks reach, on threads of librdkafka that poll. Outlives the client.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void on_delivered(const rd_kafka_message_s&) {}
  virtual void on_rebalance(bool /*assigned*/, rd_kafka_topic_partition_list_s&) {}

  // What the client last complained about; for people. Threads: any.
  [[nodiscard]] std::string complaint() const;
  // A wrong password or certificate: no use in trying again. Threads: any.
  [[nodiscard]] bool refused() const;
  void on_error(int code, std::string_view reason);
  void count_in(observe::Metrics* metrics) { metrics_ = metrics; }

 private:
  mutable std::mutex mutex_;
  std::string complaint_;
  bool refused_ = false;
  observe::Metrics* metrics_ = nullptr;
};

// The settings of one client, beginning with what all of them share: brokers, TLS, SASL, rack, logging.
// Errors of settings of ours are CHECKs; those of an operator's (a file that is not there) come from make().
class ClientConfig {
 public:
  // `purpose` is part of client.id, which brokers write into their logs.
  ClientConfig(const KafkaOptions& options, std::string_view purpose, ClientEvents& events);
  ~ClientConfig();
  ClientConfig(const ClientConfig&) = delete;
  ClientConfig& operator=(const ClientConfig&) = delete;

  ClientConfig& set(const char* name, const std::string& value);
  ClientConfig& set(const char* name, std::chrono::milliseconds value);
  ClientConfig& set(const char* name, std::uint64_t value);

  // Errors: kUnavailable with librdkafka's words.
  [[nodiscard]] Result<Handle> make_producer() &&;
  // Who only asks. A consumer, with a group.id: a producer that asks for a group's offsets dies in librdkafka 2.15.1
  // when the coordinator has moved (rd_kafka_handle_OffsetFetch uses the group's client, which a producer has not).
  [[nodiscard]] Result<Handle> make_admin() &&;
  // A member of a group hears on_rebalance(), and has to answer it.
  [[nodiscard]] Result<Handle> make_consumer(bool member) &&;

 private:
  [[nodiscard]] Result<Handle> make(bool producer);
  rd_kafka_conf_s* config_;
};

// "godwit.accepted" and back.
class TopicNames {
 public:
  explicit TopicNames(std::string prefix);
  [[nodiscard]] const std::string& of(Topic topic) const {
    return names_[static_cast<std::size_t>(topic)];
  }
  [[nodiscard]] std::optional<Topic> find(std::string_view name) const;
  [[nodiscard]] const std::string& prefix() const { return prefix_; }

 private:
  std::string prefix_;
  std::vector<std::string> names_;
};

[[nodiscard]] PartitionList make_list();
void add_to(PartitionList& list, const std::string& topic, PartitionId partition,
            std::int64_t offset);

}  // namespace godwit::log
