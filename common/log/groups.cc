#include "common/log/groups.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "common/base/check.h"
#include "common/log/partition_reader.h"

namespace godwit::log {
namespace {

// Of one group's commits under way.
constexpr std::uint64_t kGroupBytesMax = 128ull << 20;

}  // namespace

class Groups::EmbeddedOwnership final : public Ownership {
 public:
  EmbeddedOwnership(std::shared_ptr<Core> core, std::string group, PartitionId partition,
                    std::shared_ptr<Allowance> allowance)
      : core_(std::move(core)),
        group_(std::move(group)),
        partition_(partition),
        allowance_(std::move(allowance)) {}

  PartitionId partition() const override { return partition_; }

  Reader& reader(Topic topic) override {
    const std::lock_guard lock(mutex_);
    auto& reader = readers_[topic];
    if (!reader) {
      reader = std::make_unique<PartitionReader>(core_->partitions.at({topic, partition_}),
                                                 *core_->counters, committed(topic));
    }
    return *reader;
  }

  Table& table(Topic topic) override {
    const std::lock_guard lock(mutex_);
    auto& table = tables_[topic];
    if (!table) {
      table = std::make_unique<StoreTable>(*core_->store, TopicPartition{topic, partition_});
    }
    return *table;
  }

  Offset committed(Topic topic) const override {
    const TopicPartition where{topic, partition_};
    return core_->tables->position(group_, where).value_or(core_->partitions.at(where).start());
  }

  void commit(Batch batch, WriteDone done) override {
    for (const PositionChange& change : batch.positions) {
      CHECK(change.where.partition == partition_, "{} owns {}, not {}", group_, partition_,
            change.where.partition);
    }
    if (ended_) return done(fail(Errc::kFenced, group_));
    auto write = std::make_unique<Write>();
    write->batch = std::move(batch);
    write->group = group_;
    write->allowance = allowance_;
    write->done = std::move(done);
    core_->submit(std::move(write));
  }

  std::size_t batch_bytes_max() const override { return core_->batch_bytes_max(); }

  void end() { ended_ = true; }

 private:
  const std::shared_ptr<Core> core_;
  const std::string group_;
  const PartitionId partition_;
  const std::shared_ptr<Allowance> allowance_;
  std::atomic<bool> ended_{false};
  std::mutex mutex_;
  std::map<Topic, std::unique_ptr<Reader>> readers_;
  std::map<Topic, std::unique_ptr<Table>> tables_;
};

// One group's time in the log: from join() to stop().
class Groups::Membership {
 public:
  Membership(std::shared_ptr<Core> core, GroupSpec spec, std::shared_ptr<GroupListener> listener)
      : core_(std::move(core)), spec_(std::move(spec)), listener_(std::move(listener)) {}

  [[nodiscard]] const std::string& name() const { return spec_.name; }

  // A group that is new to a partition is given a position there, so that its mail is held from now on.
  static void begin(const std::shared_ptr<Membership>& self) {
    auto write = std::make_unique<Write>();
    write->group = self->spec_.name;
    write->urgent = true;
    for (const TopicPartition where : self->inputs()) {
      if (self->core_->tables->position(self->spec_.name, where)) continue;
      write->batch.positions.push_back({where, self->core_->partitions.at(where).start()});
    }
    if (write->batch.positions.empty()) {
      self->core_->applier->post([self] { self->assign_all(); });
      return;
    }
    write->done = [self](Result<Written> written) {
      if (written) self->core_->applier->post([self] { self->assign_all(); });
    };
    self->core_->submit(std::move(write));
  }

  // Asks for every partition back and waits, at most `bound`.
  static void stop(const std::shared_ptr<Membership>& self, std::chrono::milliseconds bound) {
    struct Release {
      std::mutex mutex;
      std::condition_variable condition;
      std::size_t asked = 0;
      std::size_t given = 0;
      bool all_asked = false;
    };
    auto release = std::make_shared<Release>();
    if (!self->core_->closed()) {
      self->core_->applier->post([self, release] {
        for (const auto& [partition, ownership] : self->take_owned()) {
          {
            const std::lock_guard lock(release->mutex);
            ++release->asked;
          }
          self->listener_->revoked(partition, [release, owned = ownership] {
            owned->end();
            const std::lock_guard lock(release->mutex);
            ++release->given;
            release->condition.notify_all();
          });
        }
        const std::lock_guard lock(release->mutex);
        release->all_asked = true;
        release->condition.notify_all();
      });
      std::unique_lock lock(release->mutex);
      release->condition.wait_for(
          lock, bound, [&] { return release->all_asked && release->given == release->asked; });
    }
    self->end_all();
  }

  // On the applier's thread.
  void lose() {
    for (const auto& [partition, ownership] : take_owned()) {
      ownership->end();
      listener_->lost(partition);
    }
  }

 private:
  using Owned = std::map<PartitionId, std::shared_ptr<EmbeddedOwnership>>;

  [[nodiscard]] std::vector<TopicPartition> inputs() const {
    std::vector<TopicPartition> inputs;
    for (PartitionId p = 0; p < core_->partitions.count(spec_.subscribed); ++p) {
      inputs.push_back({spec_.subscribed, p});
      for (const Topic topic : spec_.followed) {
        if (p < core_->partitions.count(topic)) inputs.push_back({topic, p});
      }
    }
    return inputs;
  }

  // On the applier's thread.
  void assign_all() {
    for (const Topic topic : spec_.tables) {
      if (!is_partition_owned(topic)) continue;
      if (!core_->tables->set_indexer(topic, spec_.indexer_version, spec_.indexer)) return;
    }
    for (PartitionId p = 0; p < core_->partitions.count(spec_.subscribed); ++p) {
      auto ownership = std::make_shared<EmbeddedOwnership>(core_, spec_.name, p, allowance_);
      {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        owned_.emplace(p, ownership);
        all_.push_back(ownership);
      }
      listener_->assigned(std::move(ownership));
    }
  }

  [[nodiscard]] Owned take_owned() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    return std::exchange(owned_, {});
  }

  void end_all() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const auto& weak : all_) {
      if (const auto ownership = weak.lock()) ownership->end();
    }
    owned_.clear();
  }

  const std::shared_ptr<Core> core_;
  const GroupSpec spec_;
  const std::shared_ptr<GroupListener> listener_;
  const std::shared_ptr<Allowance> allowance_ = std::make_shared<Allowance>(kGroupBytesMax);
  std::mutex mutex_;
  Owned owned_;
  std::vector<std::weak_ptr<EmbeddedOwnership>> all_;
  bool ended_ = false;
};

class EmbeddedGroup final : public Group {
 public:
  EmbeddedGroup(std::shared_ptr<Groups::Registry> registry,
                std::shared_ptr<Groups::Membership> membership)
      : registry_(std::move(registry)), membership_(std::move(membership)) {}
  ~EmbeddedGroup() override { stop(std::chrono::milliseconds(0)); }

  void stop(std::chrono::milliseconds bound) override {
    if (stopped_.exchange(true)) return;
    Groups::Membership::stop(membership_, bound);
    const std::lock_guard lock(registry_->mutex);
    registry_->members.erase(membership_->name());
  }

 private:
  const std::shared_ptr<Groups::Registry> registry_;
  const std::shared_ptr<Groups::Membership> membership_;
  std::atomic<bool> stopped_{false};
};

Groups::Groups(std::shared_ptr<Core> core)
    : core_(std::move(core)), registry_(std::make_shared<Registry>()) {}

Result<std::unique_ptr<Group>> Groups::join(GroupSpec spec,
                                            std::shared_ptr<GroupListener> listener) {
  if (core_->closed()) return fail(Errc::kClosed, spec.name);
  auto membership = std::make_shared<Membership>(core_, std::move(spec), std::move(listener));
  {
    const std::lock_guard lock(registry_->mutex);
    if (!registry_->members.emplace(membership->name(), membership).second) {
      return fail(Errc::kUnavailable, "group " + membership->name() + " has joined already");
    }
  }
  Membership::begin(membership);
  return std::make_unique<EmbeddedGroup>(registry_, std::move(membership));
}

void Groups::lose_all() {
  std::vector<std::shared_ptr<Membership>> members;
  {
    const std::lock_guard lock(registry_->mutex);
    for (const auto& [name, member] : registry_->members) members.push_back(member);
  }
  for (const auto& member : members) member->lose();
}

}  // namespace godwit::log
