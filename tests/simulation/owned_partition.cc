#include "tests/simulation/owned_partition.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "tests/simulation/transaction_lane.h"

namespace godwit::simulation {

using log::Errc;
using log::Offset;
using log::Topic;

class OwnedPartition::PartitionReader final : public log::Reader {
 public:
  PartitionReader(OwnedPartition& owner, log::TopicPartition where, Offset next)
      : owner_(owner), where_(where), next_(next) {}

  [[nodiscard]] Result<std::vector<log::Record>> take(std::size_t records_max,
                                                      std::size_t bytes_max) override {
    if (owner_.ended_) return fail(Errc::kClosed);
    if (owner_.process_.cut_until > owner_.process_.world().now()) {
      return std::vector<log::Record>();
    }
    Brokers::Fetched fetched =
        owner_.process_.cluster.brokers.fetch(where_, next_, records_max, bytes_max);
    next_ = fetched.next;
    std::vector<log::Record> records;
    for (Brokers::Fetched::One& one : fetched.records) records.push_back(std::move(one.record));
    return records;
  }

  void when_ready(log::Wake wake) override {
    if (owner_.ended_) return wake();
    wake_ = std::make_shared<log::Wake>(std::move(wake));
    if (asked_for_ == next_) return;  // the broker has the question
    asked_for_ = next_;
    Process& process = owner_.process_;
    process.cluster.brokers.when_readable(where_, next_,
                                          [&process, self = owner_.weak_from_this(), this] {
                                            if (!process.alive) return;
                                            process.awake = true;
                                            const auto owner = self.lock();
                                            if (!owner) return;
                                            asked_for_ = -1;
                                            ready();
                                          });
  }
  // On the end of the ownership, too.
  void ready() {
    if (const auto wake = std::exchange(wake_, nullptr)) (*wake)();
  }
  [[nodiscard]] Offset next() const override { return next_; }
  void skip_to(Offset offset) override { next_ = offset; }

 private:
  OwnedPartition& owner_;
  const log::TopicPartition where_;
  Offset next_;
  Offset asked_for_ = -1;
  std::shared_ptr<log::Wake> wake_;
};

OwnedPartition::OwnedPartition(Process& process, TransactionLane& lane, const log::GroupSpec& spec,
                               log::PartitionId partition, std::uint64_t generation,
                               std::map<Topic, Offset> positions)
    : process_(process),
      lane_(lane),
      partition_(partition),
      subscribed_(spec.subscribed),
      generation_(generation),
      positions_(std::move(positions)) {
  for (const auto& [topic, next] : positions_) {
    readers_[topic] =
        std::make_unique<PartitionReader>(*this, log::TopicPartition{topic, partition}, next);
  }
  for (const Topic topic : spec.tables) tables_[topic] = process.disk.table({topic, partition});
}

OwnedPartition::~OwnedPartition() = default;

log::Reader& OwnedPartition::reader(Topic topic) {
  return *readers_.at(topic);
}

Offset OwnedPartition::committed(Topic topic) const {
  const auto found = positions_.find(topic);
  return found == positions_.end() ? 0 : found->second;
}

log::PositionChange OwnedPartition::position() const {
  return {{subscribed_, partition_}, committed(subscribed_)};
}

void OwnedPartition::commit(log::Batch batch, log::WriteDone done) {
  for (const log::PositionChange& change : batch.positions) {
    CHECK(change.where.partition == partition_, "a position of partition {}",
          change.where.partition);
  }
  if (ended_) return done(fail(Errc::kFenced, "the partition has another owner"));
  lane_.commit(shared_from_this(), std::move(batch), std::move(done));
}

bool OwnedPartition::end() {
  if (std::exchange(ended_, true)) return false;
  for (const auto& [topic, reader] : readers_) reader->ready();
  return true;
}

}  // namespace godwit::simulation
