// What is asked of a coordinator that nobody can reach, on the mock cluster of librdkafka.

#include "common/log/kafka/admin.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <thread>

#include "common/base/check.h"
#include "common/log/errc.h"
#include "common/log/kafka/kafka_test_support.h"
#include "common/observe/metrics.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t kCoordinator = 2;

// Two brokers, of which the one that coordinates is away.
class WithoutACoordinator : public testing::Test {
 protected:
  WithoutACoordinator() {
    std::array<char, 256> problem{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem.data(), problem.size());
    CHECK(client_ != nullptr, "{}", problem.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, kCoordinator);
    CHECK(rd_kafka_mock_coordinator_set(cluster_, "group", kGroup, kCoordinator) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
    CHECK(rd_kafka_mock_topic_create(cluster_, "t.outbound", 1, kCoordinator) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
    options_.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    options_.node = "n";
    options_.topic_prefix = "t.";
    options_.metrics = &metrics_;
    away();
  }
  ~WithoutACoordinator() override {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  WithoutACoordinator(const WithoutACoordinator&) = delete;
  WithoutACoordinator& operator=(const WithoutACoordinator&) = delete;

  void away() { rd_kafka_mock_broker_set_down(cluster_, kCoordinator); }
  void back() { rd_kafka_mock_broker_set_up(cluster_, kCoordinator); }
  // How often any client that is still there has asked where the coordinator is.
  [[nodiscard]] std::size_t looked_for() const {
    constexpr std::int16_t kFindCoordinator = 10;
    std::size_t count = 0;
    rd_kafka_mock_request_t** all = rd_kafka_mock_get_requests(cluster_, &count);
    std::size_t found = 0;
    for (std::size_t i = 0; i < count; ++i)
      found += rd_kafka_mock_request_api_key(all[i]) == kFindCoordinator ? 1 : 0;
    rd_kafka_mock_request_destroy_array(all, count);
    return found;
  }

  static constexpr const char* kGroup = "t.sender";
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  observe::Metrics metrics_;
  KafkaOptions options_;
};

TEST_F(WithoutACoordinator, WhoAsksForMembersIsRefusedInTimeAndLivesOnWhenItComesBack) {
  rd_kafka_mock_start_request_tracking(cluster_);
  const auto admin = KafkaAdmin::open(options_).value();
  constexpr int kQuestions = 2;
  for (int i = 0; i < kQuestions; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const auto members = admin->members(kGroup, 1000ms);
    ASSERT_FALSE(members.has_value());
    EXPECT_EQ(members.error().code, Errc::kUnavailable);
    EXPECT_EQ(members.error().context, "members: no answer");
    EXPECT_LT(std::chrono::steady_clock::now() - began, 30s);
  }
  EXPECT_GE(looked_for(), kQuestions) << "the questions had got as far as to the coordinator";
  // A question that was given up and is still there would be asked now, by a client that connects again within 2 s;
  // librdkafka ends the process for it.
  back();
  const auto until = std::chrono::steady_clock::now() + 3s;
  int answered = 0;
  while (std::chrono::steady_clock::now() < until || answered == 0) {
    const auto positions = admin->committed(kGroup, {{.topic = "t.outbound"}}, 30s);
    ASSERT_TRUE(positions.has_value()) << positions.error().to_string();
    ++answered;
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace
}  // namespace godwit::log
