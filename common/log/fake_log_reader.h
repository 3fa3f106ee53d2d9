#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/log/fake_log_state.h"

namespace godwit::log::fake {

// A reader of a FakeLog. Made under the state's lock.
class FakeReader final : public Reader {
 public:
  FakeReader(std::shared_ptr<State> state, TopicPartition where, Offset from);

  Result<std::vector<Record>> take(std::size_t records_max, std::size_t bytes_max) override;
  void when_ready(Wake wake) override;
  Offset next() const override;
  void skip_to(Offset offset) override;

 private:
  [[nodiscard]] bool ended() const { return state_->closed || state_->life != life_; }

  const std::shared_ptr<State> state_;
  const TopicPartition where_;
  const std::uint64_t life_;
  const std::shared_ptr<Waiter> waiter_;
};

}  // namespace godwit::log::fake
