#include "tests/simulation/simulated_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/async/sleep.h"
#include "common/base/check.h"

namespace godwit::simulation {

using namespace std::chrono_literals;
using log::Errc;

namespace {

class SimulatedProducer final : public log::Producer {
 public:
  explicit SimulatedProducer(Process& process) : process_(process) {}
  void append(std::vector<log::Append> records, log::WriteDone done) override {
    process_.spawn(send(process_, std::move(records), std::move(done)));
  }

 private:
  static async::Task<void> send(Process& process, std::vector<log::Append> records,
                                log::WriteDone done) {
    log::Written written;
    if (process.cluster.mutant == Mutant::kReferenceBeforeBody &&
        records.front().where.topic == log::Topic::kBodies) {
      const log::Offset next = process.cluster.brokers.high_watermark(records.front().where);
      for (std::size_t i = 0; i < records.size(); ++i) {
        written.offsets.push_back(next + static_cast<log::Offset>(i));
      }
      process.spawn(send_later(process, std::move(records)));
      done(std::move(written));
      co_return;
    }
    for (log::Append& append : records) {
      const auto offset = co_await ask<log::Offset>(
          process, [&brokers = process.cluster.brokers, append = std::move(append)] {
            return brokers.append(append.where, append.key, append.value);
          });
      if (!offset) {
        done(fail(Errc::kUnknown, "no answer"));
        co_return;
      }
      written.offsets.push_back(*offset);
    }
    done(std::move(written));
  }

  static async::Task<void> send_later(Process& process, std::vector<log::Append> records) {
    co_await async::sleep_for(process.world().between(0ms, 3s));
    for (log::Append& append : records) {
      std::ignore = co_await ask<log::Offset>(
          process, [&brokers = process.cluster.brokers, append = std::move(append)] {
            return brokers.append(append.where, append.key, append.value);
          });
    }
  }

  Process& process_;
};

async::Task<void> read_one(Process& process, log::RecordPosition position, log::ReadDone done) {
  auto fetched =
      co_await ask<Brokers::Fetched>(process, [&brokers = process.cluster.brokers, position] {
        return brokers.fetch(position.where, position.offset, 1, 1u << 20);
      });
  if (!fetched) {
    done(fail(Errc::kUnavailable, "no answer"));
  } else if (fetched->records.empty() || fetched->records[0].record.offset != position.offset) {
    done(fail(Errc::kNotFound, "simulated"));
  } else {
    done(std::move(fetched->records[0].record));
  }
}

// The place in the group belongs to the process, whose end it is that ends it.
class SimulatedGroup final : public log::Group {
 public:
  void stop(std::chrono::milliseconds) override {
    CHECK(false, "a simulated process ends by SimulatedLog::finish()");
  }
};

}  // namespace

void SimulatedLog::finish(bool leave, std::function<void()> finished) {
  auto left = std::make_shared<std::size_t>(members_.size());
  for (const auto& [name, member] : members_) {
    member->finish(leave, [left, finished] {
      if (--*left == 0) finished();
    });
  }
}

std::unique_ptr<log::Producer> SimulatedLog::producer() {
  return std::make_unique<SimulatedProducer>(process_);
}

Result<std::unique_ptr<log::Group>> SimulatedLog::join(
    log::GroupSpec spec, std::shared_ptr<log::GroupListener> listener) {
  if (spec.indexer) process_.disk.set_indexer(spec.indexer);
  const std::string name = spec.name;
  members_[name] = std::make_unique<GroupMember>(process_, process_.cluster.groups.at(name),
                                                 std::move(spec), std::move(listener));
  return std::make_unique<SimulatedGroup>();
}

// For tools and for roles that are not simulated.
Result<std::unique_ptr<log::Reader>> SimulatedLog::read_from(log::TopicPartition, log::Offset) {
  return fail(Errc::kUnsupported, "simulated");
}
Result<std::unique_ptr<log::SharedTable>> SimulatedLog::shared_table(log::Topic) {
  return fail(Errc::kUnsupported, "simulated");
}

void SimulatedLog::read_at(log::RecordPosition position, log::ReadDone done) {
  process_.spawn(read_one(process_, position, std::move(done)));
}

Result<void> SimulatedLog::history(log::Topic topic, Timestamp since,
                                   const log::VisitHistory& visit) {
  for (log::PartitionId partition = 0; partition < partitions(topic); ++partition) {
    const log::TopicPartition where{topic, partition};
    Brokers::Fetched all =
        process_.cluster.brokers.fetch(where, 0, ~std::size_t{0}, ~std::size_t{0});
    if (log::is_table(topic)) {
      std::map<std::string, log::Record> rows;
      for (Brokers::Fetched::One& one : all.records) {
        rows.erase(one.record.key);
        if (one.tombstone) continue;
        one.record.offset = 0;
        one.record.time = {};
        rows.emplace(one.record.key, one.record);
      }
      for (auto& [key, record] : rows) {
        if (!visit({where, std::move(record)})) return {};
      }
      continue;
    }
    for (Brokers::Fetched::One& one : all.records) {
      if (one.record.time >= since && !visit({where, std::move(one.record)})) return {};
    }
  }
  return {};
}

Result<log::Offset> SimulatedLog::committed(std::string_view group, log::TopicPartition where) {
  return process_.cluster.brokers.position(std::string(group), where).next.value_or(0);
}

}  // namespace godwit::simulation
