// Who owns a partition, from where, and who does not any more (docs/kafka.md, "Groups and transactions"), on a
// real broker.

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "common/log/kafka/admin.h"
#include "common/log/kafka/kafka_test_support.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

// A client that is not ours, in one transaction.
class Foreign {
 public:
  explicit Foreign(const std::string& id) {
    rd_kafka_conf_t* config = rd_kafka_conf_new();
    std::array<char, 256> problem{};
    const auto set = [&](const char* key, const std::string& value) {
      CHECK(rd_kafka_conf_set(config, key, value.c_str(), problem.data(), problem.size()) ==
                RD_KAFKA_CONF_OK,
            "{}", problem.data());
    };
    set("bootstrap.servers", test_brokers());
    set("transactional.id", id);
    set("transaction.timeout.ms", "30000");
    set("log_level", "0");
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, config, problem.data(), problem.size());
    CHECK(handle_ != nullptr, "{}", problem.data());
    done(rd_kafka_init_transactions(handle_, -1));
    done(rd_kafka_begin_transaction(handle_));
  }
  ~Foreign() { rd_kafka_destroy(handle_); }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  // Written, and not committed.
  void write(const std::string& topic, int partition, const std::string& key,
             const std::string& value) {
    const auto code =
        rd_kafka_producev(handle_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key.data(), key.size()),
                          RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR, "{}", rd_kafka_err2str(code));
    CHECK(rd_kafka_flush(handle_, 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void commit() { done(rd_kafka_commit_transaction(handle_, -1)); }

  // Everything of the partition below `offset` is gone, as after its retention.
  void expire(const std::string& topic, int partition, Offset offset) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
    rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t* queue = rd_kafka_queue_new(handle_);
    rd_kafka_DeleteRecords(handle_, &request, 1, nullptr, queue);
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 30'000);
    CHECK(event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
  }

 private:
  static void done(rd_kafka_error_t* error) {
    CHECK(error == nullptr, "{}", rd_kafka_error_string(error));
  }
  rd_kafka_t* handle_;
};

constexpr TopicPartition kOutbound1{Topic::kOutbound, 1};

void fill(Log& log, TopicPartition where, int records) {
  const auto producer = log.producer();
  std::vector<Append> appends;
  for (int i = 0; i < records; ++i) appends.push_back(append_of(where, "k", std::to_string(i)));
  ASSERT_TRUE(append_now(*producer, std::move(appends)));
}

Offset committed_in_kafka(Log& log, TopicPartition where) {
  return log.committed("sender", where).value();
}

// Behind an open transaction nobody can read, and the last record that can be read says nothing about it.
TEST(KafkaOwnership, TakingWaitsForOpenTransactionsOfAnOldOwner) {
  const std::string prefix = fresh_prefix("taking");
  KafkaNode node(prefix, "a");
  node.open();
  Foreign old(prefix + "old");
  old.write(prefix + "retries", 0, "d/1", "parked");
  node.join();
  // The partition's table is being read; the taker looks every few milliseconds.
  ASSERT_TRUE(eventually(
      [&] { return node.metric("godwit_kafka_rebuild_offsets_left{group=\"sender\"}") > 0; }));
  const auto until = std::chrono::steady_clock::now() + 700ms;
  // Partition 1 may come meanwhile: its table has nobody's open transaction.
  EXPECT_FALSE(node.listener->wait_for(2, [&] { return std::chrono::steady_clock::now() > until; })
                   .contains(0));
  old.commit();
  auto owned = node.listener->wait_for(2);
  EXPECT_EQ(owned.at(0)->table(Topic::kRetries).get("d/1").value().value_or(""), "parked");
}

TEST(KafkaOwnership, WithoutAPositionItIsTakenFromTheTableOrHalted) {
  const std::string prefix = fresh_prefix("positions");
  KafkaNode node(prefix, "a");
  node.open();
  fill(*node.log, kOutbound0, 4);
  fill(*node.log, kOutbound1, 4);
  Foreign hand(prefix + "hand");
  hand.write(prefix + "retries", 1, "!position", "3");
  hand.commit();
  hand.expire(prefix + "outbound", 0, 2);
  hand.expire(prefix + "outbound", 1, 2);

  GroupSpec spec = sender_spec();
  spec.kept_position = [](Topic topic, const Table& table) -> std::optional<Offset> {
    const auto row = table.get("!position").value();
    if (topic != Topic::kOutbound || !row) return std::nullopt;
    return std::stoll(*row);
  };
  node.join(spec);
  auto owned = node.listener->wait_for(1);
  ASSERT_TRUE(owned.contains(1));
  EXPECT_EQ(owned.at(1)->committed(Topic::kOutbound), 3);
  EXPECT_EQ(owned.at(1)->committed(Topic::kOutboundUrgent), 0);
  EXPECT_EQ(values_of(read_records(owned.at(1)->reader(Topic::kOutbound), 1)),
            std::vector<std::string>{"3"});

  // Nobody knows whether the first two of partition 0 were finished.
  ASSERT_TRUE(eventually([&] { return !node.log->status().problem.empty(); }));
  const Status status = node.log->status();
  EXPECT_FALSE(status.writable);
  EXPECT_THAT(status.problem,
              testing::HasSubstr("outbound 0, group sender: the group has no position "
                                 "there, and its first 2 records are gone"));
  EXPECT_EQ(node.metric("godwit_kafka_partitions_halted{group=\"sender\"}"), 1);
  EXPECT_EQ(node.listener->wait_for(1).size(), 1u);
}

TEST(KafkaOwnership, APositionIsWrittenThoughNothingIsFinishedAndPassesWhatNobodyCanFinish) {
  const std::string prefix = fresh_prefix("markers");
  KafkaNode node(prefix, "a");
  node.options.lease = 1s;  // idle positions are written several times within it
  node.open().join();
  auto owned = node.listener->wait_for(2);
  // Both topics have a position from the first moment: what is never named is forgotten by the brokers.
  EXPECT_EQ(committed_in_kafka(*node.log, kOutbound0), 0);
  ASSERT_TRUE(commit_now(*owned.at(0), {.appends = {append_of(kOutbound1, "k", "v")}}));
  (void)read_records(owned.at(1)->reader(Topic::kOutbound), 1);
  ASSERT_TRUE(commit_now(*owned.at(1), {.positions = {{kOutbound1, 1}}}));
  // Behind the record is the end of its transaction, which has an offset, too.
  EXPECT_EQ(node.log->end(kOutbound1), 2);
  EXPECT_TRUE(eventually([&] { return committed_in_kafka(*node.log, kOutbound1) == 2; }));
  EXPECT_EQ(owned.at(1)->committed(Topic::kOutbound), 1);
  EXPECT_TRUE(eventually(
      [&] { return node.metric("godwit_kafka_lease_age_seconds{group=\"sender\"}") < 0.5; }));
}

// Only a member of the group's generation gets a transaction with positions through: who was away and does not know yet
// that it is no member any more is told nothing.
TEST(KafkaOwnership, APositionIsCommittedBeforeAnybodyHasThePartition) {
  const std::string prefix = fresh_prefix("confirmed");
  KafkaNode node(prefix, "a");
  node.open().join();
  (void)node.listener->wait_for(2);
  const auto admin = KafkaAdmin::open(node.options).value();
  const auto committed = admin->committed(prefix + "sender", {{prefix + "outbound", 0},
                                                              {prefix + "outbound", 1},
                                                              {prefix + "outbound.urgent", 0},
                                                              {prefix + "outbound.urgent", 1}});
  ASSERT_TRUE(committed) << committed.error().to_string();
  for (const KafkaAdmin::At& at : *committed) {
    EXPECT_EQ(at.offset, 0) << at.topic << " " << at.partition;  // -1: there is none
  }
}

TEST(KafkaOwnership, WhatExpiredUnfinishedIsCountedAndPassed) {
  const std::string prefix = fresh_prefix("expired");
  KafkaNode node(prefix, "a");
  node.open().join();
  auto owned = node.listener->wait_for(2);
  fill(*node.log, kOutbound0, 4);
  ASSERT_TRUE(commit_now(*owned.at(0), {.positions = {{kOutbound0, 1}}}));
  owned.clear();
  node.close();
  Foreign(prefix + "hand").expire(prefix + "outbound", 0, 3);
  node.open().join();
  owned = node.listener->wait_for(2);
  EXPECT_EQ(owned.at(0)->committed(Topic::kOutbound), 3);
  EXPECT_EQ(values_of(read_records(owned.at(0)->reader(Topic::kOutbound), 1)),
            std::vector<std::string>{"3"});
  EXPECT_EQ(node.metric("godwit_kafka_expired_offsets_total{group=\"sender\"}"), 2);
}

// Static members keep their place when they stop, for the session of 30 s.
TEST(KafkaOwnership, WhoLeavesGivesItsPartitionsAtOnceAndWhoIsGoneIsPutOut) {
  const std::string prefix = fresh_prefix("leaving");
  KafkaNode a(prefix, "a");
  KafkaNode b(prefix, "b");
  a.open().join();
  (void)a.listener->wait_for(2);
  b.open().join();
  (void)b.listener->wait_for(1);

  auto started = std::chrono::steady_clock::now();
  a.log->leave_on_stop();
  a.close();
  EXPECT_EQ(b.listener->wait_for(2).size(), 2u);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);

  // One that is killed: its place is kept for it, until it is put out.
  a.open().join();
  EXPECT_EQ(a.listener->wait_for(1).size(), 1u);
  b.listener->forget();
  a.close();
  started = std::chrono::steady_clock::now();
  EXPECT_TRUE(b.log->evict("sender", "a").value());
  EXPECT_EQ(b.listener->wait_for(1).size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
  EXPECT_FALSE(b.log->evict("sender", "a").value());
  EXPECT_FALSE(b.log->evict("router", "a").value());
}

// Two processes with one name: the later one stays, the earlier one says that it has to end, and takes nothing back.
TEST(KafkaOwnership, OfTwoWithOneNameTheLaterStays) {
  const std::string prefix = fresh_prefix("names");
  KafkaNode first(prefix, "same");
  KafkaNode second(prefix, "same");
  first.options.session_timeout = second.options.session_timeout = 6s;
  first.options.lease = second.options.lease = 3s;
  first.open().join();
  auto stale = first.listener->wait_for(2);
  second.open().join();
  ASSERT_TRUE(eventually([&] { return first.log->status().ended; }));
  EXPECT_THAT(first.log->status().problem,
              testing::HasSubstr("another process has taken the name same"));
  first.listener->wait_lost(2);
  auto owned = second.listener->wait_for(2);
  EXPECT_FALSE(commit_now(*stale.at(0), {.positions = {{kOutbound0, 0}}}));
  // The earlier one does not begin again, which would fence the later one's producers.
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(commit_now(*owned.at(0), {.appends = {append_of(kOutbound1, "k", "v")}}));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_FALSE(second.log->status().ended);
  EXPECT_EQ(second.log->status().problem, "");
}

}  // namespace
}  // namespace godwit::log
