#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/log/kafka/client.h"

namespace godwit::log {

using Settings = std::map<std::string, std::string>;

struct TopicToMake {
  std::string name;
  PartitionId partitions = 1;
  std::uint32_t replication = 1;
  Settings settings;
};

// A topic as it is.
struct TopicFound {
  std::string name;
  std::string id;  // another one after it was deleted and made again
  PartitionId partitions = 0;
  std::uint32_t replication = 0;  // of its first partition
  bool led = false;               // each partition has a leader
};

// What is asked of brokers, one question at a time, besides reading and writing.
//
// Errors   kUnavailable: no answer within `timeout`, or the broker's refusal in its words
// Threads  any; each call blocks until it has its answer
class KafkaAdmin {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KafkaAdmin>> open(const KafkaOptions& options);

  // The id that brokers of one cluster share. A wrong password or certificate is an error at once:
  // std::errc::permission_denied.
  [[nodiscard]] Result<std::string> cluster_id(std::chrono::milliseconds timeout);
  // Does each partition of the topic have a leader and enough replicas for acks=all?
  [[nodiscard]] Result<void> writable(const std::string& topic, std::uint32_t replicas_min,
                                      std::chrono::milliseconds timeout);
  // Topics that are there, of those named.
  [[nodiscard]] Result<std::vector<TopicFound>> topics(std::span<const std::string> names);
  // One that somebody else makes meanwhile is fine.
  [[nodiscard]] Result<void> make_topics(std::span<const TopicToMake> topics);
  [[nodiscard]] Result<std::map<std::string, Settings>> topic_settings(
      std::span<const std::string> names);
  // Of the broker that answers. A cluster that does not show them gives an empty map.
  [[nodiscard]] Result<Settings> broker_settings();

  // One topic partition by name, and an offset of it.
  struct At {
    std::string topic;
    PartitionId partition = 0;
    Offset offset = 0;
  };
  enum class Edge : std::uint8_t {
    kStart,         // the oldest record that is retained
    kEndCommitted,  // where a read-committed reader stands still
    kEndWritten,    // the high watermark, open transactions included
  };
  // Fills in the offsets.
  [[nodiscard]] Result<std::vector<At>> offsets(std::vector<At> of, Edge edge);
  // The first record not older than `time` (kEndCommitted when there is none).
  [[nodiscard]] Result<std::vector<At>> offsets_since(std::vector<At> of, Timestamp time);
  // Until elections are over.
  static constexpr std::chrono::milliseconds kPatience{10'000};
  // Until the transaction of a producer that is gone has ended as well: the broker ends it at its timeout (10 s of a
  // sender), which it sees when it next looks (every 10 s, transaction.abort.timed.out.transaction.cleanup.interval.ms).
  static constexpr std::chrono::milliseconds kTransactionPatience{30'000};
  // What the group committed; -1 where it never did. Waits for open transactions to end, for `patience` at most.
  [[nodiscard]] Result<std::vector<At>> committed(const std::string& group, std::vector<At> of,
                                                  std::chrono::milliseconds patience = kPatience);
  // A static member of a group; `node` is its group.instance.id.
  struct Member {
    std::string node;
    std::string host;
    std::vector<std::string> topics;  // of which it has partitions
  };
  // One question at a time; `timeout` begins when those before it have been answered.
  [[nodiscard]] Result<std::vector<Member>> members(const std::string& group,
                                                    std::chrono::milliseconds timeout = kPatience);

 private:
  explicit KafkaAdmin(const KafkaOptions& options) : options_(options) {}
  [[nodiscard]] Result<std::vector<At>> list_offsets(std::vector<At> of, std::int64_t specification,
                                                     bool committed_only);
  [[nodiscard]] Result<rd_kafka_s*> client_of(const std::string& group);
  void serve_callbacks();

  const KafkaOptions options_;
  ClientEvents events_;
  Handle handle_;
  std::mutex mutex_;
  std::map<std::string, Handle> groups_;  // clients for the positions of a group
  std::mutex members_mutex_;
  Handle members_;  // a client for the members of groups
};

}  // namespace godwit::log
