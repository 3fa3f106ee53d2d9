#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/log/fake_log_state.h"

namespace godwit::log::fake {

// One partition of a group of a FakeLog. Made under the state's lock.
class FakeOwnership final : public Ownership, public std::enable_shared_from_this<FakeOwnership> {
 public:
  FakeOwnership(std::shared_ptr<State> state, std::string group, PartitionId partition)
      : state_(std::move(state)),
        group_(std::move(group)),
        partition_(partition),
        generation_(state_->generation) {}

  PartitionId partition() const override { return partition_; }
  Reader& reader(Topic topic) override;
  Table& table(Topic topic) override;
  Offset committed(Topic topic) const override;
  std::optional<std::chrono::milliseconds> lease() const override;
  std::uint64_t generation() const override { return generation_; }
  void commit(Batch batch, WriteDone done) override;
  std::size_t batch_bytes_max() const override;

  // Every later commit is fenced. Under the state's lock.
  void end_locked() { ended_ = true; }

 private:
  [[nodiscard]] Offset position_locked(Topic topic) const;
  [[nodiscard]] bool ended() const;

  const std::shared_ptr<State> state_;
  const std::string group_;
  const PartitionId partition_;
  const std::uint64_t generation_;
  bool ended_ = false;
  std::map<Topic, std::unique_ptr<Reader>> readers_;
  std::map<Topic, std::unique_ptr<Table>> tables_;
};

class FakeGroup final : public Group {
 public:
  FakeGroup(std::shared_ptr<State> state, std::shared_ptr<GroupState> group)
      : state_(std::move(state)), group_(std::move(group)) {}
  ~FakeGroup() override { stop(std::chrono::milliseconds(0)); }

  void stop(std::chrono::milliseconds bound) override;

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<GroupState> group_;
};

}  // namespace godwit::log::fake
