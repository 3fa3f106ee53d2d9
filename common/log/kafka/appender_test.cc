// What the idempotent client sends and when, on the mock cluster of librdkafka: a broker whose answers take long.

#include "common/log/kafka/appender.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>

#include "common/log/kafka/kafka_test_support.h"
#include "common/observe/test_sample.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr std::int16_t kProduce = 0;  // Kafka's number of the request
constexpr int kPartitions = 2;
constexpr int kAnswerMs = 500;

class AppenderTest : public testing::Test {
 protected:
  AppenderTest() {
    std::array<char, 256> problem{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem.data(), problem.size());
    CHECK(client_ != nullptr, "{}", problem.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    CHECK(rd_kafka_mock_topic_create(cluster_, "t.accepted", kPartitions, 1) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
    options_.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    options_.node = "n";
    options_.metrics = &metrics_;
    appender_ = Appender::open(options_, TopicNames("t.")).value();
  }
  ~AppenderTest() override {
    appender_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }

  void append(PartitionId partition = 0) {
    appender_->write({{{Topic::kAccepted, partition}, "key", Rope(Bytes::copy_of("value"))}},
                     [this](const Result<Written>& written) {
                       if (!written && written.error().code == Errc::kUnknown) ++in_doubt_;
                       ++(written ? answered_ : refused_);
                     });
  }
  // When each of them was sent.
  std::vector<std::chrono::microseconds> requests(std::int16_t kind) {
    std::size_t count = 0;
    rd_kafka_mock_request_t** all = rd_kafka_mock_get_requests(cluster_, &count);
    std::vector<std::chrono::microseconds> found;
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_mock_request_api_key(all[i]) == kind)
        found.emplace_back(rd_kafka_mock_request_timestamp(all[i]));
    }
    rd_kafka_mock_request_destroy_array(all, count);
    std::ranges::sort(found);
    return found;
  }

  std::uint64_t replaced() {
    return static_cast<std::uint64_t>(
        observe::sample_of(metrics_, "godwit_kafka_append_clients_replaced_total").value_or(0));
  }

  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  observe::Metrics metrics_;
  KafkaOptions options_;
  std::unique_ptr<Appender> appender_;
  std::atomic<int> answered_{0};
  std::atomic<int> refused_{0};
  std::atomic<int> in_doubt_{0};  // among them
};

// A second request that is under way with the first is what librdkafka begins a new epoch for when the first one's
// leader dies: it then writes again what the dead leader's followers have.
TEST_F(AppenderTest, OneRequestIsUnderWayAtATime) {
  append();
  ASSERT_TRUE(eventually([&] { return answered_ == 1; }));
  rd_kafka_mock_start_request_tracking(cluster_);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, kAnswerMs);
  append();
  ASSERT_TRUE(eventually([&] { return requests(kProduce).size() == 1; }));
  append();
  ASSERT_TRUE(eventually([&] { return answered_ == 3; }));
  const auto sent = requests(kProduce);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_GE(sent[1] - sent[0], std::chrono::milliseconds(kAnswerMs));
}

// Librdkafka takes at most five records of a partition at a time, and does not rest while it has others.
TEST_F(AppenderTest, WhatWaitsGoesOutTogetherAndCostsNothing) {
  constexpr int kRecords = 100;
  const auto processor = [] { return std::chrono::microseconds(std::clock()); };
  append();
  ASSERT_TRUE(eventually([&] { return answered_ == 1; }));
  rd_kafka_mock_start_request_tracking(cluster_);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, kAnswerMs);
  const auto before = processor();
  std::vector<Offset> offsets(kRecords, -1);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (i == offsets.size() / 2) {
      ASSERT_TRUE(eventually([&] { return !requests(kProduce).empty(); }));
    }
    appender_->write({{{Topic::kAccepted, 0}, "key", Rope(Bytes::copy_of("value"))}},
                     [this, &offset = offsets[i]](const Result<Written>& written) {
                       if (written) offset = written->offsets.at(0);
                       ++answered_;
                     });
  }
  ASSERT_TRUE(eventually([&] { return answered_ == 1 + kRecords; }));
  for (std::size_t i = 0; i < offsets.size(); ++i)
    EXPECT_EQ(offsets[i], 1 + static_cast<Offset>(i));
  EXPECT_LE(requests(kProduce).size(), 4U);
  EXPECT_LT(processor() - before, std::chrono::milliseconds(kAnswerMs / 2));
}

TEST_F(AppenderTest, APartitionDoesNotWaitForAnother) {
  for (PartitionId partition = 0; partition < kPartitions; ++partition) append(partition);
  ASSERT_TRUE(eventually([&] { return answered_ == kPartitions; }));
  rd_kafka_mock_start_request_tracking(cluster_);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, kAnswerMs);
  for (PartitionId partition = 0; partition < kPartitions; ++partition) append(partition);
  ASSERT_TRUE(eventually([&] { return answered_ == 2 * kPartitions; }));
  const auto sent = requests(kProduce);
  ASSERT_EQ(sent.size(), std::size_t{kPartitions});
  EXPECT_LT(sent[1] - sent[0], std::chrono::milliseconds(kAnswerMs));
}

// What was given up may be there; a client that went on would write what comes behind it in a new epoch.
TEST_F(AppenderTest, AClientThatGaveUpARecordInDoubtIsReplaced) {
  append();
  ASSERT_TRUE(eventually([&] { return answered_ == 1; }));
  EXPECT_EQ(replaced(), 0U);
  rd_kafka_mock_start_request_tracking(cluster_);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, 60'000);
  append();
  ASSERT_TRUE(eventually([&] { return !requests(kProduce).empty(); }));
  append();  // waits behind it
  ASSERT_TRUE(eventually([&] { return refused_ == 2; }));
  EXPECT_EQ(in_doubt_, 1);
  rd_kafka_mock_broker_set_rtt(cluster_, 1, 0);
  EXPECT_TRUE(eventually([&] { return replaced() == 1; }));
  append();
  EXPECT_TRUE(eventually([&] { return answered_ == 2; }));
}

// Out of order at the head of the line: librdkafka calls the client failed, and refuses everything from then on.
TEST_F(AppenderTest, AClientThatFailedIsReplacedAndWritesGoOn) {
  append();
  ASSERT_TRUE(eventually([&] { return answered_ == 1; }));
  const std::array errors{RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER};
  rd_kafka_mock_push_request_errors_array(cluster_, kProduce, errors.size(), errors.data());
  append();
  ASSERT_TRUE(eventually([&] { return refused_ == 1; }));
  // Until it is replaced, what comes is refused.
  EXPECT_TRUE(eventually([&] {
    const int before = answered_ + refused_;
    append();
    return eventually([&] { return answered_ + refused_ > before; }) && answered_ == 2;
  }));
}

}  // namespace
}  // namespace godwit::log
