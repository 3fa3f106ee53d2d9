#include "common/admin/watched_log.h"

#include <utility>

namespace godwit::admin {

class WatchedLog::Listener final : public log::GroupListener {
 public:
  Listener(std::shared_ptr<State> state, std::size_t index,
           std::shared_ptr<log::GroupListener> listener)
      : state_(std::move(state)), index_(index), listener_(std::move(listener)) {}

  void assigned(std::shared_ptr<log::Ownership> partition) override {
    change([&](auto& partitions) { partitions.insert(partition->partition()); });
    listener_->assigned(std::move(partition));
  }
  void revoked(log::PartitionId partition, std::move_only_function<void()> released) override {
    change([&](auto& partitions) { partitions.erase(partition); });
    listener_->revoked(partition, std::move(released));
  }
  void lost(log::PartitionId partition) override {
    change([&](auto& partitions) { partitions.erase(partition); });
    listener_->lost(partition);
  }

 private:
  template <class How>
  void change(How how) {
    const std::lock_guard lock(state_->mutex);
    how(state_->owned[index_].partitions);
  }
  const std::shared_ptr<State> state_;
  const std::size_t index_;
  const std::shared_ptr<log::GroupListener> listener_;
};

Result<std::unique_ptr<log::Group>> WatchedLog::join(log::GroupSpec spec,
                                                     std::shared_ptr<log::GroupListener> listener) {
  Owned owned{.group = spec.name, .topics = {spec.subscribed}, .partitions = {}};
  owned.topics.insert(owned.topics.end(), spec.followed.begin(), spec.followed.end());
  std::size_t index = 0;
  {
    const std::lock_guard lock(state_->mutex);
    index = state_->owned.size();
    state_->owned.push_back(std::move(owned));
  }
  return ForwardingLog::join(std::move(spec),
                             std::make_shared<Listener>(state_, index, std::move(listener)));
}

std::vector<Owned> WatchedLog::owned() const {
  const std::lock_guard lock(state_->mutex);
  return state_->owned;
}

}  // namespace godwit::admin
