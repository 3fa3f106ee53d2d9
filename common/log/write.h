#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/log/log.h"

namespace godwit::log {

// A bound on the octets that one producer or group may have under way.
// Threads: any.
class Allowance {
 public:
  explicit Allowance(std::uint64_t limit) : limit_(limit) {}
  // One write is always let through, however large.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    const std::uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (before == 0 || before + bytes <= limit_) return true;
    give(bytes);
    return false;
  }
  void give(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

// One append, commit or change on its way through the log.
struct Write {
  Batch batch;
  std::string group;  // whose positions are changed
  // A client waits for it: it is synced at once, and never uses the reserve.
  bool from_outside = false;
  // Synced at once.
  bool urgent = false;
  WriteDone done;

  std::uint64_t bytes = 0;
  std::shared_ptr<Allowance> allowance;
  std::vector<Offset> offsets;  // of batch.appends, given by the commit thread
  Write* next = nullptr;        // Intake's

  // Nothing but appends: finished with the sync.
  [[nodiscard]] bool only_appends() const {
    return batch.changes.empty() && batch.positions.empty();
  }
  void finish(Result<void> result) {
    if (allowance) allowance->give(bytes);
    if (!done) return;
    if (result) {
      done(Written{std::move(offsets)});
    } else {
      done(fail(std::move(result).error()));
    }
  }
};
using WritePtr = std::unique_ptr<Write>;

}  // namespace godwit::log
