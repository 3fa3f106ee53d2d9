#include "common/log/kafka/client.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>

#include "common/base/check.h"
#include "common/log/errc.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace godwit::log {
namespace {

constexpr observe::Logger kLog{"kafka"};

const observe::CounterDefinition kErrors{
    "godwit_kafka_client_errors_total",
    "Errors that clients reported, by librdkafka's name for them.",
    {"error"}};

constexpr int kSyslogError = 3;
constexpr int kSyslogWarning = 4;

void write_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  const std::string_view client = handle != nullptr ? rd_kafka_name(handle) : "";
  if (level <= kSyslogError) {
    kLog.error("librdkafka", {{"client", client}, {"facility", facility}, {"text", text}});
  } else if (level <= kSyslogWarning) {
    kLog.warning("librdkafka", {{"client", client}, {"facility", facility}, {"text", text}});
  } else {
    kLog.debug("librdkafka", {{"client", client}, {"facility", facility}, {"text", text}});
  }
}

}  // namespace

void HandleDeleter::operator()(rd_kafka_s* handle) const {
  rd_kafka_destroy(handle);
}
void PartitionListDeleter::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void KafkaErrorDeleter::operator()(rd_kafka_error_s* error) const {
  rd_kafka_error_destroy(error);
}

std::string ClientEvents::complaint() const {
  const std::lock_guard lock(mutex_);
  return complaint_;
}

bool ClientEvents::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void ClientEvents::on_error(int code, std::string_view reason) {
  const std::string_view kind = rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code));
  kLog.debug("librdkafka", {{"error", kind}, {"text", reason}});
  if (metrics_ != nullptr) {
    metrics_->counter(kErrors, {kind}).add();
  }
  // It follows others, and says less than they do.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return;
  const std::lock_guard lock(mutex_);
  complaint_ = reason;
  refused_ = code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
             code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
}

ClientConfig::ClientConfig(const KafkaOptions& options, std::string_view purpose,
                           ClientEvents& events)
    : config_(rd_kafka_conf_new()) {
  events.count_in(options.metrics);
  rd_kafka_conf_set_opaque(config_, &events);
  set("bootstrap.servers", fmt::format("{}", fmt::join(options.brokers, ",")));
  set("client.id", fmt::format("godwit-{}-{}", options.node, purpose));
  set("log.connection.close", "false");
  set("reconnect.backoff.max.ms", "2000");
  set("socket.keepalive.enable", "true");
  set("enable.metrics.push", "false");
  const bool sasl = !options.sasl.mechanism.empty();
  const bool tls = options.tls.enabled;
  set("security.protocol",
      sasl ? (tls ? "sasl_ssl" : "sasl_plaintext") : (tls ? "ssl" : "plaintext"));
  if (tls) {
    if (!options.tls.ca.empty()) set("ssl.ca.location", options.tls.ca.string());
    if (!options.tls.certificate.empty()) {
      set("ssl.certificate.location", options.tls.certificate.string());
      set("ssl.key.location", options.tls.key.string());
    }
  }
  if (sasl) {
    set("sasl.mechanisms", options.sasl.mechanism);
    set("sasl.username", options.sasl.username);
    set("sasl.password", options.sasl.password);
  }
  if (!options.rack.empty()) set("client.rack", options.rack);
  rd_kafka_conf_set_log_cb(config_, write_log);
  rd_kafka_conf_set_error_cb(config_, [](rd_kafka_t*, int code, const char* reason, void* to) {
    static_cast<ClientEvents*>(to)->on_error(code, reason);
  });
}

ClientConfig::~ClientConfig() {
  if (config_ != nullptr) rd_kafka_conf_destroy(config_);
}

ClientConfig& ClientConfig::set(const char* name, const std::string& value) {
  std::array<char, 512> problem{};
  const auto result =
      rd_kafka_conf_set(config_, name, value.c_str(), problem.data(), problem.size());
  CHECK(result == RD_KAFKA_CONF_OK, "{}: {}", name, problem.data());
  return *this;
}

ClientConfig& ClientConfig::set(const char* name, std::chrono::milliseconds value) {
  return set(name, std::to_string(value.count()));
}

ClientConfig& ClientConfig::set(const char* name, std::uint64_t value) {
  return set(name, std::to_string(value));
}

Result<Handle> ClientConfig::make_producer() && {
  rd_kafka_conf_set_dr_msg_cb(config_,
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* to) {
                                static_cast<ClientEvents*>(to)->on_delivered(*message);
                              });
  return make(true);
}

Result<Handle> ClientConfig::make_admin() && {
  // Questions go to the leaders that the cache knows, and an answer "this is the epoch of an older one"
  // does not renew it.
  set("metadata.max.age.ms", std::chrono::milliseconds(1000));
  return make(false);
}

Result<Handle> ClientConfig::make_consumer(bool member) && {
  if (member) {
    rd_kafka_conf_set_rebalance_cb(config_,
                                   [](rd_kafka_t*, rd_kafka_resp_err_t code,
                                      rd_kafka_topic_partition_list_t* partitions, void* to) {
                                     static_cast<ClientEvents*>(to)->on_rebalance(
                                         code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, *partitions);
                                   });
  }
  TRY(Handle handle, make(false));
  rd_kafka_poll_set_consumer(handle.get());
  return handle;
}

Result<Handle> ClientConfig::make(bool producer) {
  std::array<char, 512> problem{};
  rd_kafka_t* handle = rd_kafka_new(producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, config_,
                                    problem.data(), problem.size());
  if (handle == nullptr)  // it has only looked at its settings
    return fail(std::make_error_code(std::errc::invalid_argument), problem.data());
  config_ = nullptr;
  return Handle(handle);
}

TopicNames::TopicNames(std::string prefix) : prefix_(std::move(prefix)) {
  names_.resize(kTopicMax + 1);
  for (int topic = 1; topic <= kTopicMax; ++topic) {
    names_[static_cast<std::size_t>(topic)] =
        prefix_ + std::string(topic_name(static_cast<Topic>(topic)));
  }
}

std::optional<Topic> TopicNames::find(std::string_view name) const {
  for (std::size_t topic = 1; topic < names_.size(); ++topic) {
    if (names_[topic] == name) return static_cast<Topic>(topic);
  }
  return std::nullopt;
}

PartitionList make_list() {
  constexpr int kRoom = 16;
  return PartitionList(rd_kafka_topic_partition_list_new(kRoom));
}

void add_to(PartitionList& list, const std::string& topic, PartitionId partition,
            std::int64_t offset) {
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(partition))
      ->offset = offset;
}

}  // namespace godwit::log
