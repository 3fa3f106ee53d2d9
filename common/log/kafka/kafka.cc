#include "common/log/kafka/kafka.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "common/base/check.h"
#include "common/log/kafka/appender.h"
#include "common/log/kafka/cluster_watch.h"
#include "common/log/kafka/eviction.h"
#include "common/log/kafka/group.h"
#include "common/log/kafka/position_reader.h"
#include "common/log/kafka/scan.h"
#include "common/log/kafka/shared_tables.h"
#include "common/log/kafka/table_copies.h"
#include "common/log/kafka/topics.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

const observe::GaugeDefinition kAppendQueueBytes{"godwit_kafka_append_queue_bytes",
                                                 "Octets on their way to the brokers."};
const observe::GaugeDefinition kAppendQueueRecords{"godwit_kafka_append_queue_records",
                                                   "Records on their way to the brokers."};

// Mail and reports from outside, which have to be finished before they expire.
bool is_intake(Topic topic) {
  return topic == Topic::kAccepted || topic == Topic::kAcceptedUrgent || topic == Topic::kReports ||
         topic == Topic::kBodies;
}

class KafkaProducer final : public Producer {
 public:
  KafkaProducer(std::shared_ptr<Appender> appender, std::shared_ptr<const ClusterWatch> watch)
      : appender_(std::move(appender)), watch_(std::move(watch)) {}
  void append(std::vector<Append> records, WriteDone done) override {
    std::vector<Appender::Entry> entries;
    entries.reserve(records.size());
    bool intake = false;
    for (Append& record : records) {
      CHECK(!is_table(record.where.topic), "append to table {}", topic_name(record.where.topic));
      intake = intake || is_intake(record.where.topic);
      entries.push_back({record.where, std::move(record.key), std::move(record.value)});
    }
    if (intake) {
      if (std::string overdue = watch_->overdue(); !overdue.empty())
        return done(fail(Errc::kUnavailable, std::move(overdue)));
    }
    appender_->write(std::move(entries), std::move(done));
  }

 private:
  std::shared_ptr<Appender> appender_;
  std::shared_ptr<const ClusterWatch> watch_;
};

// A group as its caller holds it: the log asks it how it is.
class HeldGroup final : public Group {
 public:
  explicit HeldGroup(std::shared_ptr<KafkaGroup> group) : group_(std::move(group)) {}
  ~HeldGroup() override { group_->stop(0ms); }
  void stop(std::chrono::milliseconds bound) override { group_->stop(bound); }

 private:
  std::shared_ptr<KafkaGroup> group_;
};

class KafkaLog final : public Log {
 public:
  KafkaLog(const KafkaOptions& options, KafkaTopics topics, std::unique_ptr<KafkaAdmin> admin,
           std::shared_ptr<TableCopies> copies, std::shared_ptr<Appender> appender)
      : options_(options),
        names_(options.topic_prefix),
        topics_(std::move(topics)),
        admin_(std::move(admin)),
        copies_(std::move(copies)),
        appender_(std::move(appender)),
        transactions_(options_, names_),
        shared_(options_, names_, topics_, *admin_, *appender_, transactions_, copies_),
        positions_(options_, names_),
        watch_(std::make_shared<ClusterWatch>(*admin_, options_, topics_)) {
    samples_.push_back(options.metrics->sampled(kAppendQueueBytes, {}, [appender = appender_] {
      return static_cast<double>(appender->bytes());
    }));
    samples_.push_back(options.metrics->sampled(kAppendQueueRecords, {}, [appender = appender_] {
      return static_cast<double>(appender->records());
    }));
  }
  ~KafkaLog() override { close(); }

  [[nodiscard]] PartitionId partitions(Topic topic) const override {
    return topics_.partitions[static_cast<std::size_t>(topic)];
  }
  [[nodiscard]] std::unique_ptr<Producer> producer() override {
    return std::make_unique<KafkaProducer>(appender_, watch_);
  }
  [[nodiscard]] Result<std::unique_ptr<Group>> join(
      GroupSpec spec, std::shared_ptr<GroupListener> listener) override;
  [[nodiscard]] Result<std::unique_ptr<Reader>> read_from(TopicPartition where,
                                                          Offset from) override;
  [[nodiscard]] Result<std::unique_ptr<SharedTable>> shared_table(Topic topic) override {
    if (closed_) return fail(Errc::kClosed);
    return shared_.open(topic);
  }
  [[nodiscard]] bool reads_by_position() const override { return false; }
  void read_at(RecordPosition position, ReadDone done) override {
    positions_.read(position, std::move(done));
  }
  [[nodiscard]] Result<void> history(Topic topic, Timestamp since,
                                     const VisitHistory& visit) override;
  [[nodiscard]] Result<Offset> committed(std::string_view group, TopicPartition where) override;
  [[nodiscard]] Offset end(TopicPartition where) const override;
  [[nodiscard]] Status status() const override;
  void leave_on_stop() override { leave_ = true; }
  [[nodiscard]] Result<bool> evict(std::string_view group, std::string_view node) override {
    if (closed_) return fail(Errc::kClosed);
    return evict_member(*admin_, options_, names_, std::string(group), std::string(node));
  }
  void close() override;

 private:
  [[nodiscard]] std::vector<KafkaAdmin::At> places(Topic topic) const;
  [[nodiscard]] Result<void> rows(Topic topic, const std::vector<ScanRange>& ranges,
                                  const VisitHistory& visit);

  const KafkaOptions options_;
  const TopicNames names_;
  const KafkaTopics topics_;
  const std::unique_ptr<KafkaAdmin> admin_;
  const std::shared_ptr<TableCopies> copies_;
  const std::shared_ptr<Appender> appender_;
  TableTransactions transactions_;
  SharedTables shared_;
  PositionReader positions_;
  const std::shared_ptr<ClusterWatch> watch_;
  std::vector<observe::Metrics::Sampled> samples_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<KafkaGroup>> groups_;
  std::atomic<bool> leave_{false};
  std::atomic<bool> closed_{false};
};

Result<std::unique_ptr<Group>> KafkaLog::join(GroupSpec spec,
                                              std::shared_ptr<GroupListener> listener) {
  if (closed_) return fail(Errc::kClosed);
  TRY(auto joined, KafkaGroup::join({.options = options_,
                                     .names = names_,
                                     .admin = admin_.get(),
                                     .copies = copies_,
                                     .shared = &shared_,
                                     .leave = &leave_},
                                    std::move(spec), std::move(listener)));
  std::shared_ptr<KafkaGroup> group = std::move(joined);
  const std::lock_guard lock(mutex_);
  std::erase_if(groups_, [](const auto& at) { return at.expired(); });
  groups_.push_back(group);
  return std::make_unique<HeldGroup>(std::move(group));
}

Result<std::unique_ptr<Reader>> KafkaLog::read_from(TopicPartition where, Offset from) {
  if (closed_) return fail(Errc::kClosed);
  TRY(const auto start,
      admin_->offsets({{names_.of(where.topic), where.partition}}, KafkaAdmin::Edge::kStart));
  const Offset begin = std::max(from, start.front().offset);
  TRY(auto started, KafkaConsumer::start(options_, names_, "reader"));
  std::shared_ptr<KafkaConsumer> consumer = std::move(started);
  auto buffer = std::make_shared<RecordBuffer>(
      begin, options_.reader_bytes,
      RecordBuffer::Source{
          .resume = [at = consumer.get(), where] { at->resume(where); },
          .seek = [at = consumer.get(), where](Offset to) { at->seek(where, to); }});
  consumer->attach(where, begin, buffer);
  return std::make_unique<BufferedReader>(std::move(buffer), std::move(consumer));
}

std::vector<KafkaAdmin::At> KafkaLog::places(Topic topic) const {
  std::vector<KafkaAdmin::At> places;
  for (PartitionId p = 0; p < partitions(topic); ++p) places.push_back({names_.of(topic), p});
  return places;
}

Result<void> KafkaLog::history(Topic topic, Timestamp since, const VisitHistory& visit) {
  if (closed_) return fail(Errc::kClosed);
  TRY(const auto from, is_table(topic) ? admin_->offsets(places(topic), KafkaAdmin::Edge::kStart)
                                       : admin_->offsets_since(places(topic), since));
  TRY(const auto ends, admin_->offsets(places(topic), KafkaAdmin::Edge::kEndCommitted));
  std::vector<ScanRange> ranges;
  for (PartitionId p = 0; p < partitions(topic); ++p) {
    ranges.push_back({{topic, p}, from[p].offset, ends[p].offset});
  }
  if (is_table(topic)) return rows(topic, ranges, visit);
  return scan(options_, names_, ranges, [&](TopicPartition where, Record record, bool) {
    return record.time < since || visit({where, std::move(record)});
  });
}

// A partition's rows are put together before they are visited: for tools, and as large as they are.
Result<void> KafkaLog::rows(Topic, const std::vector<ScanRange>& ranges,
                            const VisitHistory& visit) {
  for (const ScanRange& range : ranges) {
    std::map<std::string, Rope> rows;
    TRY_VOID(scan(options_, names_, {range}, [&](TopicPartition, Record record, bool tombstone) {
      if (tombstone) {
        rows.erase(record.key);
      } else {
        rows[record.key] = std::move(record.value);
      }
      return true;
    }));
    for (auto& [key, value] : rows) {
      if (!visit({range.where, {.offset = 0, .time = {}, .key = key, .value = std::move(value)}}))
        return {};
    }
  }
  return {};
}

Result<Offset> KafkaLog::committed(std::string_view group, TopicPartition where) {
  if (closed_) return fail(Errc::kClosed);
  const std::vector<KafkaAdmin::At> place{{names_.of(where.topic), where.partition}};
  TRY(const auto committed, admin_->committed(names_.prefix() + std::string(group), place,
                                              KafkaAdmin::kTransactionPatience));
  if (committed.front().offset >= 0) return committed.front().offset;
  TRY(const auto start, admin_->offsets(place, KafkaAdmin::Edge::kStart));
  return start.front().offset;
}

Offset KafkaLog::end(TopicPartition where) const {
  const auto ends =
      admin_->offsets({{names_.of(where.topic), where.partition}}, KafkaAdmin::Edge::kEndCommitted);
  if (!ends) {
    kLog.warning("the end of a partition is not known", {{"problem", ends.error()}});
    return 0;
  }
  return ends->front().offset;
}

Status KafkaLog::status() const {
  if (closed_) return {.problem = "closed"};
  Status status{.problem = watch_->problem(),
                // Nothing is kept in reserve here, and nothing waits for room.
                .bytes_free = std::numeric_limits<std::uint64_t>::max()};
  if (status.problem.empty()) status.problem = watch_->overdue();
  const std::lock_guard lock(mutex_);
  for (const auto& weak : groups_) {
    const auto group = weak.lock();
    if (!group) continue;
    if (status.problem.empty() || group->ended()) status.problem = group->problem();
    status.ended = group->ended();
    if (status.ended) break;
  }
  status.writable = status.problem.empty();
  return status;
}

void KafkaLog::close() {
  if (closed_.exchange(true)) return;
  watch_->stop();
  samples_.clear();
  std::vector<std::shared_ptr<KafkaGroup>> groups;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : groups_) {
      if (auto group = weak.lock()) groups.push_back(std::move(group));
    }
  }
  for (const auto& group : groups) group->stop(0ms);
  appender_->close();
  transactions_.stop();
  shared_.stop();
  positions_.stop();
  copies_->close();
}

}  // namespace

namespace {

// What can be said before anybody is asked.
Result<void> check(const KafkaOptions& options) {
  if (options.brokers.empty())
    return fail(std::make_error_code(std::errc::invalid_argument), "no brokers are named");
  if (options.sasl.mechanism == "PLAIN" && !options.tls.enabled) {
    return fail(std::make_error_code(std::errc::invalid_argument),
                "SASL PLAIN would show the password to the network; it needs TLS");
  }
  // Who cannot commit any more stops before others may begin.
  const std::array<std::pair<const char*, std::chrono::milliseconds>, 4> ascending{
      {{"commit_interval", options.commit_interval},
       {"lease", options.lease},
       {"session_timeout", options.session_timeout},
       {"max_poll_interval", options.max_poll_interval}}};
  for (std::size_t i = 1; i < ascending.size(); ++i) {
    const auto& [shorter, shorter_ms] = ascending[i - 1];
    const auto& [longer, longer_ms] = ascending[i];
    if (shorter_ms >= longer_ms) {
      return fail(std::make_error_code(std::errc::invalid_argument),
                  fmt::format("{} ({} ms) has to be shorter than {} ({} ms)", shorter,
                              shorter_ms.count(), longer, longer_ms.count()));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Log>> open_kafka(const KafkaOptions& options, const Clock& clock) {
  const auto opened = [&]() -> Result<std::unique_ptr<Log>> {
    TRY_VOID(check(options));
    const TopicNames names(options.topic_prefix);
    TRY(auto admin, KafkaAdmin::open(options));
    TRY_VOID(admin->cluster_id(10s));
    TRY_VOID(claim_prefix(*admin, options));
    TRY(KafkaTopics topics, ensure_topics(*admin, names, options));
    TRY(auto copies, TableCopies::open(options.directory, topics, clock, options.metrics));
    TRY(std::unique_ptr<Appender> appender, Appender::open(options, names));
    return std::make_unique<KafkaLog>(options, std::move(topics), std::move(admin),
                                      std::move(copies), std::move(appender));
  };
  auto log = opened();
  if (!log) return fail(std::move(log).error().within("Kafka"));
  return log;
}

}  // namespace godwit::log
