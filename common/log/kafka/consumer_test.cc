// What is read first, and by whom, on the mock cluster of librdkafka: answers that come late.

#include "common/log/kafka/consumer.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <mutex>

#include "common/log/kafka/kafka_test_support.h"
#include "common/log/kafka/member.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

// Kafka's numbers of requests.
constexpr std::int16_t kFetch = 1;
constexpr std::int16_t kListOffsets = 2;
constexpr std::int16_t kHeartbeat = 12;

class Offsets final : public RecordSink {
 public:
  bool on_record(Record record, bool /*tombstone*/) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(record.offset);
    return true;
  }
  void on_end(Offset /*next*/) override { at_end_ = true; }
  void on_failure(Error /*error*/) override {}
  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] std::vector<Offset> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Offset> seen_;
  std::atomic<bool> at_end_{false};
};

class ConsumerTest : public testing::Test {
 protected:
  ConsumerTest() {
    std::array<char, 256> problem{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem.data(), problem.size());
    CHECK(client_ != nullptr, "{}", problem.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster_, 0);
    CHECK(rd_kafka_mock_topic_create(cluster_, "t.outbound", 2, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
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
  // How many requests of that kind the broker got since they were cleared.
  int requests(std::int16_t kind) {
    std::size_t count = 0;
    rd_kafka_mock_request_t** all = rd_kafka_mock_get_requests(cluster_, &count);
    int found = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_mock_request_api_key(all[i]) == kind) ++found;
    }
    rd_kafka_mock_request_destroy_array(all, count);
    return found;
  }

  observe::Metrics metrics_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  KafkaOptions options_;
  std::shared_ptr<Offsets> warm_ = std::make_shared<Offsets>();
  std::shared_ptr<Offsets> sink_ = std::make_shared<Offsets>();
  std::unique_ptr<KafkaConsumer> consumer_;
};

// Librdkafka that was told to begin at the end asks for the end again when a seek overtook the first answer, and then
// leaves out what it has not read until then.
TEST_F(ConsumerTest, NothingIsLeftOutWhenAnswersComeLate) {
  produce(10);
  // What is asked for first waits for a connection: here it is there.
  consumer_ = KafkaConsumer::start(options_, TopicNames("t."), "test", 10ms).value();
  consumer_->attach({Topic::kOutbound, 1}, 0, warm_);
  ASSERT_TRUE(eventually([&] { return warm_->at_end(); }));
  rd_kafka_mock_broker_push_request_error_rtts(cluster_, 1, kListOffsets, 1,
                                               RD_KAFKA_RESP_ERR_NO_ERROR, 300);
  std::array<rd_kafka_resp_err_t, 3> leaderless{};
  leaderless.fill(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  rd_kafka_mock_push_request_errors_array(cluster_, kFetch, leaderless.size(), leaderless.data());
  consumer_->attach({Topic::kOutbound, 0}, 3, sink_);
  ASSERT_TRUE(eventually([&] { return !sink_->seen().empty() && sink_->seen().back() == 9; }));
  EXPECT_EQ(sink_->seen(), (std::vector<Offset>{3, 4, 5, 6, 7, 8, 9}));
}

// What it read would be from somewhere, and whoever takes the partition reads it from the position it finds.
TEST_F(ConsumerTest, AMemberIsToldItsPartitionsAndReadsNoneOfThem) {
  produce(10);
  rd_kafka_mock_start_request_tracking(cluster_);
  std::mutex mutex;
  std::vector<PartitionId> mine;
  std::atomic<int> ticks{0};
  const auto member = GroupMember::join(options_, TopicNames("t."),
                                        {.group = "sender",
                                         .subscribed = Topic::kOutbound,
                                         .assigned =
                                             [&](const std::vector<PartitionId>& partitions) {
                                               const std::lock_guard lock(mutex);
                                               mine = partitions;
                                             },
                                         .revoked = [](const auto&, bool) {},
                                         .failed = [](const std::string&) {},
                                         .tick =
                                             [&] {
                                               ++ticks;
                                               return true;
                                             }})
                          .value();
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return mine.size() == 2;
  }));
  // Heartbeats come behind whatever it would have asked for.
  int heartbeats = 0;
  int reads = 0;
  ASSERT_TRUE(eventually([&] {
    reads += requests(kFetch) + requests(kListOffsets);
    heartbeats += requests(kHeartbeat);
    rd_kafka_mock_clear_requests(cluster_);
    return heartbeats >= 2;
  }));
  EXPECT_EQ(reads, 0);
  EXPECT_TRUE(member->is_member());
  EXPECT_GT(ticks, 0);
  member->leave(std::chrono::steady_clock::now() + kPatience);
  EXPECT_FALSE(member->is_member());
  member->stop();
}

}  // namespace
}  // namespace godwit::log
