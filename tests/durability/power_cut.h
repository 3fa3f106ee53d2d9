#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "common/store/fake_file_system.h"

namespace godwit::durability {

// When the power goes: at the Nth sync, final dot or acknowledgement of a life, whatever is under way then.
//
// After it nothing is written any more and the network is silent; the objects of the life are torn down, which
// no machine without power could do, and nothing they do on the way leaves a trace.
//
// Threads  any
class PowerCut {
 public:
  enum class Moment { kSync, kFinalDot, kAcknowledgement };

  explicit PowerCut(store::FakeFileSystem& files) : files_(files) {}

  // Not before everything that counts is running; `after` from 1.
  void arm(Moment moment, std::uint64_t after) {
    moment_ = moment;
    left_ = static_cast<std::int64_t>(after);
    armed_ = true;
  }
  // Called once, so many of the moments before it. Set before arm().
  void shortly_before(std::int64_t moments, std::function<void()> happens) {
    shortly_ = moments;
    happens_ = std::move(happens);
  }
  // Counts; takes the power when it is time.
  void reached(Moment moment) {
    if (!armed_ || moment != moment_) return;
    const std::int64_t left = --left_;
    if (left == shortly_ && happens_) happens_();
    if (left == 0) {
      gone_ = true;
      files_.freeze();
    }
  }
  [[nodiscard]] bool gone() const { return gone_; }

 private:
  store::FakeFileSystem& files_;
  std::atomic<bool> armed_{false};
  std::atomic<bool> gone_{false};
  std::atomic<Moment> moment_{Moment::kSync};
  std::atomic<std::int64_t> left_{0};
  std::int64_t shortly_ = 0;
  std::function<void()> happens_;
};

}  // namespace godwit::durability
