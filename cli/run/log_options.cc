#include "cli/run/log_options.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

namespace godwit::cli::run {
namespace {

std::string mechanism_name(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kNone: return {};
    case SaslMechanism::kPlain: return "PLAIN";
    case SaslMechanism::kScramSha256: return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512: return "SCRAM-SHA-512";
  }
  return {};
}

}  // namespace

log::EmbeddedConfig embedded_config(const Config& config, std::shared_ptr<log::Counters> counters,
                                    HandOf hand) {
  const EmbeddedConfig& embedded = config.log.embedded;
  return {.directory = config.data_dir,
          .partitions = embedded.partitions,
          .segment_bytes = embedded.segment_bytes,
          .reserve_segments = embedded.reserve_segments,
          .reserve_table_bytes = embedded.reserve_table_bytes,
          .tail_cache_bytes = embedded.tail_cache_bytes,
          .commit_sync_delay_max = embedded.commit_sync_delay_max,
          .events_retention = embedded.events_retention,
          .archive_policy = archive_policy(std::move(hand)),
          .counters = std::move(counters)};
}

Result<void> check_made_segments(const Config& config) {
  if (config.log.kind != LogKind::kEmbedded) return {};
  const auto made = log::embedded_segment_bytes(config.data_dir);
  if (!made || !*made) return {};
  const auto wrong = segments_too_small(config, **made);
  if (!wrong) return {};
  return fail(std::make_error_code(std::errc::invalid_argument),
              fmt::format("data_dir {} was made with segments of a size that stays: {}; segments "
                          "of {} (in a new data_dir)",
                          config.data_dir.string(), wrong->what, wrong->right));
}

log::KafkaOptions kafka_options(const Config& config, const std::string& node,
                                observe::Metrics& metrics) {
  const KafkaConfig& kafka = config.log.kafka;
  return {.brokers = kafka.brokers,
          .topic_prefix = kafka.topic_prefix,
          .cluster = config.cluster,
          .node = node,
          .directory = config.data_dir / "kafka",
          .tls = {.enabled = kafka.tls.enabled,
                  .ca = kafka.tls.ca,
                  .certificate = kafka.tls.certificate,
                  .key = kafka.tls.key},
          .sasl = {.mechanism = mechanism_name(kafka.sasl.mechanism),
                   .username = kafka.sasl.username,
                   .password = kafka.sasl.password},
          .rack = kafka.rack,
          .partitions = kafka.partitions,
          .replication = kafka.replication,
          .min_insync_replicas = kafka.min_insync_replicas,
          .retention = kafka.retention,
          .events_retention = kafka.events_retention,
          .session_timeout = kafka.session_timeout,
          .lease = kafka.lease,
          .max_poll_interval = kafka.max_poll_interval,
          .revocation = kafka.revocation,
          .commit_interval = kafka.commit_interval,
          .transaction_lanes = kafka.producers,
          .metrics = &metrics};
}

}  // namespace godwit::cli::run
