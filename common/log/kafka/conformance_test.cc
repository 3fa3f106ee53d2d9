// The conformance suite on a real broker: tests/kafka starts one and names it in GODWIT_KAFKA_BROKERS.

#include <atomic>
#include <cstdlib>

#include "common/base/check.h"
#include "common/log/kafka/kafka.h"
#include "common/log/log_conformance.h"
#include "common/log/test_directory.h"

namespace godwit::log {
namespace {

// A prefix of its own for each log, of this run.
std::string fresh_prefix() {
  static std::atomic<int> count = 0;
  return "conformance-" + std::to_string(to_unix_ms(system_clock().now())) + "-" +
         std::to_string(++count) + ".";
}

class KafkaUnderTest final : public ConformanceLog {
 public:
  KafkaUnderTest() {
    const char* brokers = std::getenv("GODWIT_KAFKA_BROKERS");
    CHECK(brokers != nullptr, "GODWIT_KAFKA_BROKERS names no broker");
    options_.brokers = {brokers};
    options_.topic_prefix = fresh_prefix();
    options_.cluster = "conformance";
    options_.node = "node";
    options_.directory = directory_.path() / "kafka";
    options_.partitions = 2;
    options_.replication = 1;
    options_.min_insync_replicas = 1;
    options_.session_timeout = std::chrono::seconds(30);
    options_.commit_interval = std::chrono::milliseconds(10);
    options_.transaction_lanes = 2;
    open();
  }
  Log& log() override { return *log_; }
  void restart() override {
    log_.reset();
    open();
  }

 private:
  void open() {
    auto opened = open_kafka(options_, system_clock());
    CHECK(opened.has_value(), "{}", opened.error().to_string());
    log_ = *std::move(opened);
  }

  TestDirectory directory_;
  KafkaOptions options_;
  std::unique_ptr<Log> log_;
};

std::unique_ptr<ConformanceLog> make_kafka() {
  return std::make_unique<KafkaUnderTest>();
}

INSTANTIATE_TEST_SUITE_P(Kafka, LogConformance,
                         testing::Values(ConformanceCase{"kafka", make_kafka}));

}  // namespace
}  // namespace godwit::log
