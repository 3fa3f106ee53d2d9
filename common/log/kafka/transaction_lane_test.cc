// How transactions come out, on the mock cluster of librdkafka: errors that a real broker gives once in a year.

#include "common/log/kafka/transaction_lane.h"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <array>

#include "common/log/kafka/kafka_test_support.h"
#include "common/log/kafka/owned_partition.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

// Kafka's numbers of requests.
constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kFindCoordinator = 10;
constexpr std::int16_t kAddPartitionsToTxn = 24;
constexpr std::int16_t kEndTxn = 26;
constexpr std::int16_t kTxnOffsetCommit = 28;

class TransactionLaneTest : public testing::Test {
 protected:
  TransactionLaneTest() {
    rd_kafka_conf_t* config = rd_kafka_conf_new();
    std::array<char, 256> problem{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, config, problem.data(), problem.size());
    CHECK(client_ != nullptr, "{}", problem.data());
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    for (const char* topic : {"t.events", "t.outbound", "t.outbound.urgent", "t.retries"}) {
      CHECK(rd_kafka_mock_topic_create(cluster_, topic, 2, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    options_.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    options_.node = "n";
    options_.commit_interval = 1ms;
    options_.lease = 1500ms;
    options_.session_timeout = 600ms;
    options_.metrics = &metrics_;
    copies_ = TableCopies::open(directory_.path() / "kafka", topics_, system_clock()).value();
    lane_ = std::make_shared<TransactionLane>(TransactionLane::Environment{
        .options = options_,
        .names = TopicNames("t."),
        .producer = {.id = "t.sender.n.0", .timeout = 10s, .queue_bytes = 1 << 20},
        .copies = copies_,
        .shared = nullptr,
        .metrics = std::make_shared<GroupMetrics>(metrics_, "sender"),
        .tables = {Topic::kRetries},
        .metadata = [this]() -> rd_kafka_consumer_group_metadata_s* {
          if (before_metadata_) before_metadata_();
          return rd_kafka_consumer_group_metadata_new("t.sender");
        },
        .ended = [this](const auto&) { ++ended_; }});
    take();
  }
  ~TransactionLaneTest() override {
    lane_->stop();
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }

  void take() {
    ASSERT_TRUE(eventually([&] { return lane_->ready(); }));
    owned_ = std::make_shared<OwnedPartition>(
        OwnedPartition::Taken{.partition = 0,
                              .generation = 1,
                              .positions = {{Topic::kOutbound, 0}},
                              .at = std::chrono::steady_clock::now()},
        options_.lease, lane_);
    owned_->add_reader(
        Topic::kOutbound,
        std::make_shared<RecordBuffer>(0, 1 << 20, RecordBuffer::Source{[] {}, [](Offset) {}}));
    const TableCopies::Part part{kRetries0, {0, 100}};
    ASSERT_TRUE(copies_->begin(std::span(&part, 1)));
  }
  Result<Written> commit(Offset next) {
    Awaited<Result<Written>> done;
    owned_->commit({.appends = {append_of({Topic::kEvents, 0}, "k", "v")},
                    .changes = {change_of(kRetries0, "d/" + std::to_string(next), "row")},
                    .positions = {{kOutbound0, next}}},
                   done.setter());
    return done.get();
  }
  void answer_with(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors) {
    rd_kafka_mock_clear_request_errors(cluster_, request);
    rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
  }
  double metric(const std::string& series) const {
    const std::string text = metrics_.text();
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::atof(text.c_str() + at + series.size() + 2);
  }

  TestDirectory directory_;
  observe::Metrics metrics_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  KafkaTopics topics_;
  KafkaOptions options_;
  std::shared_ptr<TableCopies> copies_;
  std::function<void()> before_metadata_;
  std::atomic<int> ended_{0};
  std::shared_ptr<TransactionLane> lane_;
  std::shared_ptr<OwnedPartition> owned_;
};

TEST_F(TransactionLaneTest, EachErrorSaysWhetherTheCommitIsThereAndWhetherTheProducerGoesOn) {
  struct Case {
    const char* what;
    std::int16_t request;
    std::vector<rd_kafka_resp_err_t> errors;
    std::error_code code;  // none: it is written
    bool ends_ownership;
    bool new_producer;
  };
  const Case cases[] = {
      {"nothing", kEndTxn, {}, {}, false, false},
      {"another generation: the same again",
       kTxnOffsetCommit,
       {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION},
       {},
       false,
       false},
      {"no member any more",
       kTxnOffsetCommit,
       {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
       Errc::kFenced,
       true,
       true},
      {"another has the name",
       kTxnOffsetCommit,
       {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID},
       Errc::kFenced,
       true,
       true},
      {"another has the transactional id",
       kAddPartitionsToTxn,
       {RD_KAFKA_RESP_ERR_PRODUCER_FENCED},
       Errc::kUnknown,
       true,
       true},
      {"a coordinator that moves",
       kEndTxn,
       {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
       {},
       false,
       false},
      {"fenced at the end: it may have come through before",
       kEndTxn,
       {RD_KAFKA_RESP_ERR_PRODUCER_FENCED},
       Errc::kUnknown,
       true,
       true},
      {"a state that cannot be",
       kEndTxn,
       {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE},
       Errc::kUnknown,
       true,
       true},
      {"an end that is refused, and an abort that is taken",
       kEndTxn,
       {RD_KAFKA_RESP_ERR_POLICY_VIOLATION},
       Errc::kUnavailable,
       false,
       false},
      {"an end and an abort that are refused",
       kEndTxn,
       {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE},
       Errc::kUnknown,
       true,
       true},
      {"a record that is too large",
       kProduce,
       {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE},
       Errc::kTooLarge,
       false,
       false},
  };
  Offset next = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    ASSERT_TRUE(commit(++next));  // the lane is idle behind it
    const double replaced =
        metric("godwit_kafka_transactional_producers_replaced_total{group=\"sender\"}");
    const int ended = ended_;
    answer_with(one.request, one.errors);
    const auto written = commit(++next);
    const std::error_code code = written ? std::error_code() : written.error().code;
    // Of a fenced producer librdkafka says sometimes that it is, and sometimes only that the end failed.
    EXPECT_TRUE(code == one.code || (one.code == Errc::kUnknown && code == Errc::kFenced)) << code;
    EXPECT_TRUE(eventually([&] { return ended_ - ended == (one.ends_ownership ? 1 : 0); }));
    EXPECT_EQ(owned_->ended(), one.ends_ownership);
    EXPECT_EQ(
        metric("godwit_kafka_transactional_producers_replaced_total{group=\"sender\"}") - replaced,
        one.new_producer ? 1 : 0);
    // The copy shows what is written, and nothing else.
    const auto row = copies_->table(kRetries0)->get("d/" + std::to_string(next)).value();
    EXPECT_EQ(row.has_value(), !one.code);
    answer_with(one.request, {});
    if (one.ends_ownership) take();
  }
}

// Librdkafka gives the sequence numbers of records that it purges to the next ones, and a broker that has the former
// takes the latter for copies of them: events of a commit were nowhere.
TEST_F(TransactionLaneTest, RecordsThatMayBeThereAreNotFollowedByOthersOfTheSameEpoch) {
  ASSERT_TRUE(commit(1));
  const auto replaced = [this] {
    return metric("godwit_kafka_transactional_producers_replaced_total{group=\"sender\"}");
  };
  const double before = replaced();
  // The connection breaks behind each request of records, and the positions' answer would come later than that: the
  // transaction is aborted while the records wait to be sent again.
  constexpr int kLaterMs = 400;
  answer_with(kProduce, std::vector<rd_kafka_resp_err_t>(100, RD_KAFKA_RESP_ERR__TRANSPORT));
  rd_kafka_mock_broker_push_request_error_rtts(cluster_, 1, kTxnOffsetCommit, 1,
                                               RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, kLaterMs);
  const auto written = commit(2);
  ASSERT_FALSE(written);
  EXPECT_EQ(replaced() - before, 1);
  answer_with(kProduce, {});
  answer_with(kTxnOffsetCommit, {});
  if (owned_->ended()) take();  // it took longer than the lease
  EXPECT_TRUE(eventually([this] { return commit(2).has_value(); }));
  EXPECT_TRUE(copies_->table(kRetries0)->get("d/2").value().has_value());
}

// A broker that does not answer: nobody knows, after the lease, and no earlier producer goes on.
TEST_F(TransactionLaneTest, ACommitWithoutAnAnswerIsUnknownAfterTheLease) {
  ASSERT_TRUE(commit(1));
  const auto started = std::chrono::steady_clock::now();
  answer_with(kEndTxn, std::vector<rd_kafka_resp_err_t>(
                           1000, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS));
  EXPECT_EQ(commit(2).error().code, Errc::kUnknown);
  EXPECT_GE(std::chrono::steady_clock::now() - started, options_.lease);
  EXPECT_TRUE(owned_->ended());
  EXPECT_EQ(commit(3).error().code, Errc::kFenced);
  answer_with(kEndTxn, {});
  take();
  EXPECT_TRUE(commit(2));
}

// Librdkafka asks three times for the coordinator of a group and then waits for a connection to begin or end, however
// long that takes: the partition would stand still, and nobody could take it.
TEST_F(TransactionLaneTest, AGroupWithoutACoordinatorForAWhileDoesNotHoldALaneForEver) {
  answer_with(kFindCoordinator,
              std::vector<rd_kafka_resp_err_t>(3, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE));
  const auto started = std::chrono::steady_clock::now();
  const auto written = commit(1);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10 * options_.lease);
  if (!written && owned_->ended()) take();
  EXPECT_TRUE(commit(2));
}

// The process lost the partition and joined again: the metadata would be right, and the commit another owner's.
TEST_F(TransactionLaneTest, APartitionThatWasLostWhileTheMetadataWereFetchedIsNotCommitted) {
  ASSERT_TRUE(commit(1));
  std::atomic<bool> lose{true};
  before_metadata_ = [&] {
    if (lose.exchange(false)) owned_->end();
  };
  EXPECT_EQ(commit(2).error().code, Errc::kFenced);
  EXPECT_EQ(metric("godwit_kafka_transactions_total{group=\"sender\",outcome=\"committed\"}"), 1);
}

// What waits behind a commit that failed would make a hole.
// It was lost and taken anew while the commit was under way: found by the simulation.
TEST_F(TransactionLaneTest, ALaterOwnershipIsNotRefusedWithAnEarlierOne) {
  ASSERT_TRUE(commit(1));
  answer_with(kEndTxn, {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE});
  const std::shared_ptr<OwnedPartition> earlier = owned_;
  Awaited<Result<Written>> of_earlier;
  Awaited<Result<Written>> of_later;
  std::atomic<bool> first{true};
  before_metadata_ = [&] {
    if (!first.exchange(false)) return;
    take();
    owned_->commit({.positions = {{kOutbound0, 3}}}, of_later.setter());
  };
  earlier->commit({.positions = {{kOutbound0, 2}}}, of_earlier.setter());
  EXPECT_FALSE(of_earlier.get());
  const auto written = of_later.get();
  EXPECT_TRUE(written) << written.error().to_string();
  before_metadata_ = nullptr;
}

TEST_F(TransactionLaneTest, WhatWaitsBehindAFailedCommitFailsToo) {
  ASSERT_TRUE(commit(1));
  answer_with(kEndTxn, {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE});
  std::vector<Awaited<Result<Written>>> answers(3);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    owned_->commit({.positions = {{kOutbound0, static_cast<Offset>(i) + 2}}}, answers[i].setter());
  }
  for (auto& answer : answers) EXPECT_FALSE(answer.get());
  answer_with(kEndTxn, {});
  take();
  EXPECT_TRUE(commit(2));
}

}  // namespace
}  // namespace godwit::log
