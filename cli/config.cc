#include "cli/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/config/print.h"
#include "common/config/scalar.h"
#include "common/log/types.h"
#include "common/text/idna.h"

using namespace std::chrono_literals;

namespace godwit::cli {

void describe(config::Fields& fields, EmbeddedConfig& embedded) {
  fields
      .add("partitions", embedded.partitions,
           "Partitions of each topic; fixed when the data directory is made.")
      .range(1, 1024)
      .restart();
  fields.add("segment_bytes", embedded.segment_bytes, "Size of one segment file.")
      .bytes()
      .range(4ull << 20, 1ull << 30)
      .restart();
  fields
      .add("reserve_segments", embedded.reserve_segments,
           "Segments that only routing and delivery may use, so that a full disk drains.")
      .range(1, 64)
      .restart();
  fields
      .add("reserve_table_bytes", embedded.reserve_table_bytes,
           "Free space that is kept for the tables; below it new mail is answered 452.")
      .bytes()
      .range(16ull << 20, 1ull << 40)
      .restart();
  fields
      .add("tail_cache_bytes", embedded.tail_cache_bytes,
           "Newest records that are kept in memory for readers that keep up.")
      .bytes()
      .range(1ull << 20, 1ull << 36)
      .restart();
  fields
      .add("commit_sync_delay_max", embedded.commit_sync_delay_max,
           "How long routing and delivery may wait for a sync that is shared; clients never wait.")
      .range(1ms, 1000ms)
      .restart();
  fields
      .add("events_retention", embedded.events_retention,
           "How long events are kept, and so how far back an audit reaches.")
      .range(24h, 87'600h)
      .restart();
}

void describe(config::Fields& fields, KafkaTlsConfig& tls) {
  fields.add("enabled", tls.enabled, "Whether brokers are spoken to over TLS.").restart();
  fields
      .add("ca", tls.ca,
           "File with the certificates that brokers are trusted by; empty: those of the system.")
      .restart();
  fields
      .add("certificate", tls.certificate,
           "File with this client's own certificate, if it needs one.")
      .restart();
  fields.add("key", tls.key, "File with the key of that certificate.").restart();
}

void describe(config::Fields& fields, KafkaSaslConfig& sasl) {
  fields
      .add("mechanism", sasl.mechanism, "How brokers are shown who this is; `plain` over TLS only.")
      .restart();
  fields.add("username", sasl.username, "The name brokers know this client by.").restart();
  fields.add("password", sasl.password, "The password of that name.").hide().restart();
}

namespace {

constexpr std::uint64_t kMiB = 1ull << 20;

// The largest write is one batch in one segment: the chunks of the largest message in `bodies`, or
// its content when it is parked, beside a record of its own; or the events of one accepted record.
// A message's octets on the wire are a third more than its size when each line is a dot (RFC 5321
// s4.5.2); 64 KiB of header fields come in front.
std::uint64_t content_bytes_max(std::uint64_t message_bytes) {
  return message_bytes + message_bytes / 3 + (64 << 10) + kMiB;
}
std::uint64_t message_bytes_for(std::uint64_t segment_bytes) {
  const std::uint64_t around = (64 << 10) + kMiB;
  return segment_bytes <= around ? 0 : (segment_bytes - around) / 4 * 3;
}

// Of each recipient `accepted` and `routed`, below 1 KiB each without the address, and the
// addresses twice.
std::uint64_t events_bytes_max(std::uint64_t recipients) {
  constexpr std::uint64_t kRecipientBytesMin = 20;  // as it lies in an accepted record
  const std::uint64_t in_record = std::min(recipients, log::kRecordBytesMax / kRecipientBytesMin);
  return 2 * (in_record * 1024 + log::kRecordBytesMax) + kMiB;
}

std::uint64_t round_up_to_mib(std::uint64_t bytes) {
  return (bytes + kMiB - 1) / kMiB * kMiB;
}

}  // namespace

std::optional<config::Wrong> segments_too_small(const Config& config, std::uint64_t have) {
  if (config.log.kind != LogKind::kEmbedded) return std::nullopt;
  const ingress::Config& ingress = config.ingress;
  const auto small = [&](std::string_view key, const std::string& value, std::uint64_t wanted,
                         const std::string& or_else) {
    return config::Wrong{
        fmt::format("{} is too small for ingress.{} of {}: such mail would never be taken",
                    config::render_bytes(have), key, value),
        fmt::format("at least {}, or ingress.{} of at most {}",
                    config::render_bytes(round_up_to_mib(wanted)), key, or_else)};
  };
  if (const auto wanted = content_bytes_max(ingress.max_message_bytes); have < wanted) {
    const std::uint64_t most = message_bytes_for(have) / 1024 * 1024;
    return small("max_message_bytes", config::render_bytes(ingress.max_message_bytes), wanted,
                 config::render_bytes(most));
  }
  if (const auto wanted = events_bytes_max(ingress.limits.recipients_max); have < wanted) {
    const std::uint64_t most = ((have - kMiB) / 2 - log::kRecordBytesMax) / 1024;
    return small("limits.recipients_max", std::to_string(ingress.limits.recipients_max), wanted,
                 std::to_string(most));
  }
  return std::nullopt;
}

namespace {

// A sender that waits longer for open transactions loses the partition before what they came to is committed: an
// outcome that is unknown by then is attempted at once by the next owner.
std::optional<config::Wrong> drain_too_long(const Config& config) {
  const auto wait = config.sender.drain_wait;
  const auto bound = config.log.kafka.revocation;
  if (config.log.kind != LogKind::kKafka || wait < bound) return std::nullopt;
  return config::Wrong{
      fmt::format("{} is not below log.kafka.revocation of {}: partitions would go before what was "
                  "waited for is committed",
                  config::render_duration(wait), config::render_duration(bound)),
      fmt::format("less than {}, the default is 20s", config::render_duration(bound))};
}

}  // namespace

void describe(config::Fields& fields, KafkaConfig& kafka) {
  fields.add("brokers", kafka.brokers, "Brokers to begin with, host:port.").restart();
  fields
      .add("topic_prefix", kafka.topic_prefix,
           "What every topic's name starts with; no two clusters share one.")
      .restart();
  fields.add("tls", kafka.tls, "Encryption.");
  fields.add("sasl", kafka.sasl, "Credentials.");
  fields.add("rack", kafka.rack, "Where this process is: it reads from replicas there.").restart();
  fields
      .add("partitions", kafka.partitions,
           "Partitions of topics that are made, and the fewest of those that are there.")
      .range(1, 1024)
      .restart();
  fields.add("replication", kafka.replication, "Replicas of each topic, at least.")
      .range(1, 9)
      .restart();
  fields
      .add("min_insync_replicas", kafka.min_insync_replicas,
           "Replicas that have a record before it is acknowledged, at least.")
      .range(1, 9)
      .restart();
  fields.add("retention", kafka.retention, "How long accepted and routed mail is kept, at least.")
      .range(336h, 87'600h)
      .restart();
  fields
      .add("events_retention", kafka.events_retention,
           "How long events are kept, and so how far back an audit reaches.")
      .range(24h, 87'600h)
      .restart();
  fields
      .add("startup_timeout", kafka.startup_timeout,
           "How long a process that starts waits for brokers that do not answer.")
      .range(0s, 1h)
      .restart();
  fields
      .add("session_timeout", kafka.session_timeout,
           "How long a process may be silent before its partitions go to others.")
      .range(3s, 30min)
      .restart();
  fields
      .add("lease", kafka.lease,
           "How long a commit may take before the partition is given up; above commit_interval and "
           "below session_timeout.")
      .range(1s, 30min)
      .restart();
  fields
      .add("max_poll_interval", kafka.max_poll_interval,
           "How long a process may stand still that only says it is there; above session_timeout.")
      .range(10s, 2h)
      .restart();
  fields
      .add("revocation", kafka.revocation,
           "How long a partition may be finished before it goes to another process.")
      .range(0s, 4min)
      .restart();
  fields
      .add("commit_interval", kafka.commit_interval,
           "The least time between two transactions of one producer.")
      .range(1ms, 10s)
      .restart();
  fields
      .add("producers", kafka.producers,
           "Transactional producers of each role; a partition belongs to one. More are quicker "
           "only where brokers have "
           "time for more transactions.")
      .range(1, 16)
      .restart();
}

void describe(config::Fields& fields, LogConfig& log) {
  fields.add("kind", log.kind, "Where the log is: files of this machine, or Apache Kafka.")
      .restart();
  fields.add("embedded", log.embedded, "The log on this machine.");
  fields.add("kafka", log.kafka, "The log on Kafka.");
}

void describe(config::Fields& fields, DnsConfig& dns) {
  fields
      .add("servers", dns.servers,
           "Name servers to ask, 192.0.2.53 or 192.0.2.53@5353; empty: those of the system.")
      .restart();
  fields
      .add("trust_anchor", dns.trust_anchor,
           "File with the DNSSEC trust anchor; empty: the one of the system, when it is there.")
      .restart();
  fields.add("validate", dns.validate, "Whether answers are validated by DNSSEC.").restart();
  fields.add("timeout", dns.timeout, "How long one question may take.").range(1s, 2min).restart();
}

void describe(config::Fields& fields, BounceConfig& bounce) {
  fields
      .add("domain", bounce.domain,
           "Domain of return addresses for mail without a return path of its own; inbound takes "
           "them.")
      .restart()
      .check([](const std::string& domain) -> std::optional<config::Wrong> {
        if (domain.empty() || text::to_ascii_domain(domain)) return std::nullopt;
        return config::Wrong{config::quote(domain) + " is no domain", "bounces.example.net"};
      });
  fields
      .add("return_path", bounce.return_path,
           "All mail leaves with a return address, also of senders without a return path.")
      .restart();
  fields
      .add("key_file", bounce.key_file,
           "Keys that sign return addresses, the same for all processes of a cluster; empty: "
           "return_keys in data_dir, made at the first start.")
      .restart();
  fields.rule("return_path", [&bounce]() -> std::optional<config::Wrong> {
    if (!bounce.return_path || !bounce.domain.empty()) return std::nullopt;
    return config::Wrong{"needs a domain", "bounce.domain, or no return_path"};
  });
}

void describe(config::Fields& fields, CaptureConfig& capture) {
  fields.add("mails", capture.mails, "Mails that are kept; the oldest go first.")
      .range(1, 100'000)
      .restart();
  fields.add("bytes", capture.bytes, "Octets of mail that are kept.")
      .bytes()
      .range(1ull << 20, 1ull << 40)
      .restart();
}

void describe(config::Fields& fields, ObserveConfig& observe) {
  fields.add("listen", observe.listen, "Where /livez, /readyz and /metrics are served.").restart();
  fields.add("log_level", observe.log_level,
             "Lines from this level upwards are written; addresses of people at debug only.");
}

void describe(config::Fields& fields, ControlConfig& control) {
  fields
      .add("file", control.file,
           "File with tenants, credentials, domains, pools and shaping; see control.md.")
      .restart();
  fields
      .add("mode", control.mode,
           "file: the file is the truth; seed: it fills an empty control table once, then `ctl "
           "apply` "
           "is the way. Unset: file on the embedded log, seed on Kafka.")
      .restart();
}

void describe(config::Fields& fields, Config& config) {
  fields.add("cluster", config.cluster, "Name of the cluster; on Kafka the topics belong to it.")
      .restart();
  fields
      .add("node", config.node,
           "Name of this machine in Received lines and events; empty: its host name.")
      .restart();
  fields
      .add("data_dir", config.data_dir,
           "Everything that is kept on this machine; its backup is the backup.")
      .restart();
  fields.add("threads", config.threads, "Event loops; 0: one for each CPU.")
      .range(0, 1024)
      .restart();
  fields
      .add("drain_timeout", config.drain_timeout,
           "How long the end may take after SIGTERM; what is unfinished then is done after the "
           "next start.")
      .range(0s, 1h);
  fields.add("log", config.log, "What is acknowledged is here.");
  fields.add("ingress", config.ingress, "How mail comes in.");
  fields.add("dns", config.dns, "How names are looked up.");
  fields.add("router", config.router, "How mail finds its way.");
  fields.add("sender", config.sender, "How mail goes out.");
  fields.add("bounce", config.bounce, "What comes back.");
  fields.add("capture", config.capture, "What routes to `capture` keep for looking at.");
  fields.add("admin", config.admin, "Administration.");
  fields.add("observe", config.observe, "Health, metrics and logs.");
  fields.add("control", config.control, "Who may send what, from where, how fast.");
  fields.rule("log.embedded.segment_bytes",
              [&config] { return segments_too_small(config, config.log.embedded.segment_bytes); });
  fields.rule("sender.drain_wait", [&config] { return drain_too_long(config); });
}

config::Outcome read_config(const std::filesystem::path& file, Config& config) {
  return config::read_file(file, config);
}

namespace {

std::string print(std::string (*printer)(const config::Fields&)) {
  Config config;
  config::Fields fields;
  describe(fields, config);
  return printer(fields);
}

}  // namespace

std::string print_defaults() {
  return "# Godwit: every key with its default. Paths are relative to this file.\n"
         "# \"restart\": a reload (SIGHUP) does not change it.\n\n" +
         print(config::print_yaml);
}

std::string print_configuration_reference() {
  return print(config::print_reference);
}

}  // namespace godwit::cli
