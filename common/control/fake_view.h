#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/control/snapshot.h"

namespace godwit::control {

// For tests: what set() was given last, numbered from 0 on, as of a table that nobody has written to. Threads: any,
// set() one at a time.
class FakeView final : public View {
 public:
  explicit FakeView(Snapshot snapshot = {}) { set(std::move(snapshot)); }

  void set(Snapshot snapshot) {
    auto next = std::make_shared<Snapshot>(std::move(snapshot));
    next->version = version_++;
    next->index();
    current_ = std::move(next);
  }
  [[nodiscard]] SnapshotPtr current() const override { return current_.load(); }

 private:
  std::uint64_t version_ = 0;
  std::atomic<SnapshotPtr> current_;
};

}  // namespace godwit::control
