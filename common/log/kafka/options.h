#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/log/types.h"

namespace godwit::observe {
class Metrics;
}

namespace godwit::log {

// What a process needs to know to keep its log on Kafka: docs/kafka.md.
struct KafkaOptions {
  std::vector<std::string> brokers;  // host:port, to begin with
  std::string topic_prefix = "godwit.";
  std::string cluster;  // two clusters never share a prefix: the first one's name is kept
  std::string node;     // who this process is in its groups; no two of a role are alike
  std::filesystem::path directory;  // local copies of tables; rebuilt when it is empty

  struct Tls {
    bool enabled = false;
    std::filesystem::path ca;  // empty: those of the system
    std::filesystem::path certificate;
    std::filesystem::path key;
  } tls;
  struct Sasl {
    std::string mechanism;  // "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"; empty: none
    std::string username;
    std::string password;
  } sasl;
  std::string rack;  // fetch from the replica there

  // Of topics that are made, and asked of those that are there. Fewer than configured partitions are an error,
  // more are not.
  PartitionId partitions = 16;
  std::uint32_t replication = 3;
  std::uint32_t min_insync_replicas = 2;
  std::chrono::hours retention{24 * 14};         // accepted, outbound, bodies, reports
  std::chrono::hours events_retention{24 * 45};  // events, accepted, audit
  std::chrono::hours bodies_retention{24 * 45};  // bodies

  std::chrono::milliseconds session_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds lease = std::chrono::seconds(15);  // bound of one commit
  // A member whose consumer stands still for that long is put out of its group.
  std::chrono::milliseconds max_poll_interval = std::chrono::minutes(5);
  std::chrono::milliseconds revocation =
      std::chrono::seconds(30);  // how long a partition may be finished
  std::chrono::milliseconds commit_interval{50};
  // Transactional producers of a group: while one waits for its brokers, others write. More make more transactions, each
  // with fewer records: work for brokers.
  std::uint32_t transaction_lanes = 2;

  // How often a member says that it is there; what it is told then (others come, its name is taken)
  // it learns as late.
  [[nodiscard]] std::chrono::milliseconds heartbeat_interval() const {
    constexpr std::chrono::milliseconds kHeartbeatMax{1000};
    return std::min(kHeartbeatMax, session_timeout / 6);
  }

  observe::Metrics* metrics =
      nullptr;  // what clients and groups count; outlives the log, never null

  std::size_t producer_bytes = 64u << 20;  // appends under way
  std::size_t reader_bytes = 4u << 20;     // read ahead, of each partition
};

}  // namespace godwit::log
