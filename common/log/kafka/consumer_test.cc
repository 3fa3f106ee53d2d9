// What a member of a group reads first, on the mock cluster of librdkafka: answers that come late.

#include "common/log/kafka/consumer.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <mutex>

#include "common/log/kafka/kafka_test_support.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

// Kafka's numbers of requests.
constexpr std::int16_t kFetch = 1;
constexpr std::int16_t kListOffsets = 2;

class Offsets final : public RecordSink {
 public:
  bool on_record(Record record, bool /*tombstone*/) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(record.offset);
    return true;
  }
  void on_failure(Error /*error*/) override {}
  [[nodiscard]] std::vector<Offset> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Offset> seen_;
};

class ConsumerTest : public testing::Test {
 protected:
  ConsumerTest() {
    std::array<char, 256> problem{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem.data(), problem.size());
    CHECK(client_ != nullptr, "{}", problem.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    CHECK(rd_kafka_mock_topic_create(cluster_, "t.outbound", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
    options_.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    options_.node = "n";
    options_.session_timeout = 6s;
    options_.metrics = &metrics_;
  }
  ~ConsumerTest() override {
    if (consumer_) consumer_->stop();
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }

  void produce(int count) {
    rd_kafka_conf_t* config = rd_kafka_conf_new();
    std::array<char, 256> problem{};
    rd_kafka_conf_set(config, "bootstrap.servers", options_.brokers.front().c_str(), problem.data(),
                      problem.size());
    rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, config, problem.data(), problem.size());
    std::string value = "v";
    for (int i = 0; i < count; ++i) {
      const auto sent =
          rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("t.outbound"), RD_KAFKA_V_PARTITION(0),
                            RD_KAFKA_V_VALUE(value.data(), value.size()),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      CHECK(sent == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    CHECK(rd_kafka_flush(producer, 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(producer);
  }
  void join(Offset from) {
    KafkaConsumer::Membership membership{
        .group = "sender",
        .subscribed = Topic::kOutbound,
        .assigned =
            [this, from](const std::vector<PartitionId>& partitions) {
              if (!partitions.empty()) consumer_->attach({Topic::kOutbound, 0}, from, sink_);
            },
        .revoked = [this](const auto& partitions, bool) { consumer_->release(partitions); },
        .failed = [](const std::string&) {},
        .tick = [] {}};
    consumer_ = KafkaConsumer::join(options_, TopicNames("t."), std::move(membership)).value();
  }

  observe::Metrics metrics_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  KafkaOptions options_;
  std::shared_ptr<Offsets> sink_ = std::make_shared<Offsets>();
  std::unique_ptr<KafkaConsumer> consumer_;
};

// Librdkafka that was told to begin at the end asks for the end again when a seek overtook the first answer, and then
// leaves out what it has not read until then.
TEST_F(ConsumerTest, NothingIsLeftOutWhenAnswersComeLate) {
  produce(10);
  rd_kafka_mock_broker_push_request_error_rtts(cluster_, 1, kListOffsets, 1,
                                               RD_KAFKA_RESP_ERR_NO_ERROR, 300);
  std::array<rd_kafka_resp_err_t, 3> leaderless{};
  leaderless.fill(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  rd_kafka_mock_push_request_errors_array(cluster_, kFetch, leaderless.size(), leaderless.data());
  join(3);
  ASSERT_TRUE(eventually([&] { return !sink_->seen().empty() && sink_->seen().back() == 9; }));
  EXPECT_EQ(sink_->seen(), (std::vector<Offset>{3, 4, 5, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace godwit::log
