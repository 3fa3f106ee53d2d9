#include "common/log/kafka/shared_tables.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

// after it
#include <librdkafka/rdkafka_mock.h>

#include <array>

#include "common/base/test_directory.h"
#include "common/log/kafka/kafka_test_support.h"

namespace godwit::log {
namespace {

constexpr std::int16_t kListOffsets = 2;  // Kafka's number of the request

TEST(SharedTablesTest, ATableThatDidNotOpenIsNotThere) {
  std::array<char, 256> problem{};
  rd_kafka_t* const client =
      rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem.data(), problem.size());
  ASSERT_NE(client, nullptr) << problem.data();
  rd_kafka_mock_cluster_t* const cluster = rd_kafka_mock_cluster_new(client, 1);
  for (const char* name : {"t.control", "t.nodes"})
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster, name, 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  std::array<rd_kafka_resp_err_t, 1000> refusals{};
  refusals.fill(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  rd_kafka_mock_push_request_errors_array(cluster, kListOffsets, refusals.size(), refusals.data());
  {
    observe::Metrics metrics;
    const TestDirectory directory;
    KafkaOptions options;
    options.brokers = {rd_kafka_mock_cluster_bootstraps(cluster)};
    options.node = "n";
    options.metrics = &metrics;
    const TopicNames names("t.");
    KafkaTopics topics;
    for (const Topic topic : {Topic::kControl, Topic::kNodes})
      topics.partitions[static_cast<std::size_t>(topic)] = 1;
    const auto admin = KafkaAdmin::open(options).value();
    const std::shared_ptr<TableCopies> copies =
        TableCopies::open(directory.path(), topics, system_clock()).value();
    const auto appender = Appender::open(options, names).value();
    TableTransactions transactions(options, names);
    SharedTables tables(options, names, topics, *admin, *appender, transactions, copies);
    EXPECT_FALSE(tables.open(Topic::kControl).has_value());
    // Nor is it later taken for open.
    rd_kafka_mock_clear_request_errors(cluster, kListOffsets);
    EXPECT_TRUE(tables.open(Topic::kControl).has_value());
    rd_kafka_mock_push_request_errors_array(cluster, kListOffsets, refusals.size(),
                                            refusals.data());
    EXPECT_FALSE(tables.open(Topic::kNodes).has_value());
    tables.stop();
    appender->close();
    transactions.stop();
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(client);
}

}  // namespace
}  // namespace godwit::log
