#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/admin/config.h"
#include "common/config/fields.h"
#include "common/config/read.h"
#include "ingress/config.h"
#include "router/config.h"
#include "sender/config.h"

// The whole configuration file: what belongs to the process, and each role's own struct below its
// name. docs/configuration.md and `godwit defaults` are made from the describe() functions.
namespace godwit::cli {

enum class LogKind : std::uint8_t { kEmbedded, kKafka };
constexpr auto config_names(LogKind) {
  return std::to_array<config::EnumName<LogKind>>(
      {{"embedded", LogKind::kEmbedded}, {"kafka", LogKind::kKafka}});
}

// The log on this machine; see docs/formats/segments.md.
struct EmbeddedConfig {
  std::uint32_t partitions = 16;
  std::uint64_t segment_bytes = 64ull << 20;
  std::uint32_t reserve_segments = 4;
  std::uint64_t reserve_table_bytes = 512ull << 20;
  std::uint64_t tail_cache_bytes = 16ull << 20;
  std::chrono::milliseconds commit_sync_delay_max{100};
  std::chrono::hours events_retention{24 * 45};
};

enum class SaslMechanism : std::uint8_t { kNone, kPlain, kScramSha256, kScramSha512 };
constexpr auto config_names(SaslMechanism) {
  return std::to_array<config::EnumName<SaslMechanism>>(
      {{"none", SaslMechanism::kNone},
       {"plain", SaslMechanism::kPlain},
       {"scram-sha-256", SaslMechanism::kScramSha256},
       {"scram-sha-512", SaslMechanism::kScramSha512}});
}

struct KafkaTlsConfig {
  bool enabled = false;
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
};

struct KafkaSaslConfig {
  SaslMechanism mechanism = SaslMechanism::kNone;
  std::string username;
  std::string password;
};

// The log on Kafka; see docs/kafka.md.
struct KafkaConfig {
  std::vector<std::string> brokers;
  std::string topic_prefix = "godwit.";
  KafkaTlsConfig tls;
  KafkaSaslConfig sasl;
  std::string rack;
  std::uint32_t partitions = 16;
  std::uint32_t replication = 3;
  std::uint32_t min_insync_replicas = 2;
  std::chrono::hours retention{24 * 14};
  std::chrono::hours events_retention{24 * 45};
  std::chrono::milliseconds startup_timeout = std::chrono::seconds(60);
  std::chrono::milliseconds session_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds lease = std::chrono::seconds(15);
  std::chrono::milliseconds max_poll_interval = std::chrono::minutes(5);
  std::chrono::milliseconds revocation = std::chrono::seconds(30);
  std::chrono::milliseconds commit_interval{50};
  std::uint32_t producers = 2;
};

struct LogConfig {
  LogKind kind = LogKind::kEmbedded;
  EmbeddedConfig embedded;
  KafkaConfig kafka;
};

struct DnsConfig {
  std::vector<std::string> servers;
  std::filesystem::path trust_anchor;
  bool validate = true;
  std::chrono::milliseconds timeout{20'000};
};

struct BounceConfig {
  std::string domain;
  bool return_path = false;
  std::filesystem::path key_file;  // empty: data_dir/return_keys, made at the first start
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };
constexpr auto config_names(LogLevel) {
  return std::to_array<config::EnumName<LogLevel>>({{"debug", LogLevel::kDebug},
                                                    {"info", LogLevel::kInfo},
                                                    {"warning", LogLevel::kWarning},
                                                    {"error", LogLevel::kError},
                                                    {"off", LogLevel::kOff}});
}

struct ObserveConfig {
  config::HostPort listen{"127.0.0.1", 8027};
  LogLevel log_level = LogLevel::kInfo;
};

enum class ControlMode : std::uint8_t { kFile, kSeed };
constexpr auto config_names(ControlMode) {
  return std::to_array<config::EnumName<ControlMode>>(
      {{"file", ControlMode::kFile}, {"seed", ControlMode::kSeed}});
}

struct ControlConfig {
  std::filesystem::path file;
  std::optional<ControlMode> mode;  // unset: file on the embedded log, seed on Kafka
};

// What routes `to: capture` keep.
struct CaptureConfig {
  std::uint32_t mails = 1000;
  std::uint64_t bytes = 512ull << 20;
};

struct Config {
  std::string cluster = "demo";
  std::string node;  // empty: the machine's name
  std::filesystem::path data_dir = "./data";
  std::uint32_t threads = 0;
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(30);
  LogConfig log;
  ingress::Config ingress;
  DnsConfig dns;
  router::Config router;
  sender::Config sender;
  BounceConfig bounce;
  CaptureConfig capture;
  godwit::admin::Config admin;
  ObserveConfig observe;
  ControlConfig control;

  [[nodiscard]] ControlMode control_mode() const {
    return control.mode.value_or(log.kind == LogKind::kKafka ? ControlMode::kSeed
                                                             : ControlMode::kFile);
  }
  [[nodiscard]] std::filesystem::path capture_directory() const { return data_dir / "capture"; }
};
void describe(config::Fields& fields, Config& config);

// Why the largest mail that is accepted would not fit into segments of `segment_bytes`: the
// configured ones, or those of a data directory that was made before. nullopt: it fits, or the log
// is not embedded.
[[nodiscard]] std::optional<config::Wrong> segments_too_small(const Config& config,
                                                              std::uint64_t segment_bytes);

// Reads a configuration file: what every subcommand with `-c FILE` begins with. See
// config::read_file.
[[nodiscard]] config::Outcome read_config(const std::filesystem::path& file, Config& config);

// `godwit defaults`, and the body of docs/configuration.md.
[[nodiscard]] std::string print_defaults();
[[nodiscard]] std::string print_configuration_reference();

}  // namespace godwit::cli
