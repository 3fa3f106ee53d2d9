// The conformance suite on a real broker: tests/kafka starts one and names it in GODWIT_KAFKA_BROKERS.

#include "common/log/kafka/kafka_test_support.h"
#include "common/log/log_conformance.h"

namespace godwit::log {
namespace {

class KafkaUnderTest final : public ConformanceLog {
 public:
  KafkaUnderTest() { node_.open(); }
  Log& log() override { return *node_.log; }
  void restart() override {
    node_.close();
    node_.open();
  }

 private:
  KafkaNode node_{fresh_prefix("conformance"), "node"};
};

std::unique_ptr<ConformanceLog> make_kafka() {
  return std::make_unique<KafkaUnderTest>();
}

INSTANTIATE_TEST_SUITE_P(Kafka, LogConformance,
                         testing::Values(ConformanceCase{"kafka", make_kafka}));

}  // namespace
}  // namespace godwit::log
