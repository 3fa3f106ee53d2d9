#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/control/snapshot.h"
#include "common/log/counters.h"
#include "common/log/log.h"
#include "common/net/address.h"
#include "common/net/fake_resolver.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/store/file.h"
#include "sender/role.h"

namespace godwit::durability {

// The machine's time, with calendar time put forward by hand: scheduled mail need not be waited for.
// Threads  any
class WorldClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override {
    return system_clock().now() + std::chrono::milliseconds(ahead_ms_.load());
  }
  [[nodiscard]] Instant instant() const override { return system_clock().instant(); }
  void advance(std::chrono::milliseconds by) { ahead_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> ahead_ms_{0};
};

// Mail to this domain may leave a few times a second only, so that most of it is set aside.
inline constexpr std::string_view kSlowDomain = "slow.example";
inline constexpr std::chrono::hours kAge{24 * 5};  // of a delivery, then it is expired

// A godwit process from its start to its end: the embedded log and the three roles, as `godwit run` has them, on
// a file system of the test's.
//
// Lifecycle  open() recovers; start() starts the roles; the destructor ends everything, without a drain
class Pipeline {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Pipeline>> open(store::FileSystem& files,
                                                              const WorldClock& clock);
  ~Pipeline();

  // All mail goes to that port on 127.0.0.1.
  [[nodiscard]] Result<void> start(std::uint16_t destination);
  // kSlowDomain is as fast as the others from here on.
  void lift_limits();

  [[nodiscard]] log::Log& log() { return *log_; }
  [[nodiscard]] net::Address address() const;  // of ingress
  [[nodiscard]] const log::Counters& counters() const { return *counters_; }
  [[nodiscard]] std::uint64_t throttled_total();
  // Nothing is unrouted, waiting, under way or parked.
  [[nodiscard]] bool idle();

 private:
  class ControlView;
  explicit Pipeline(const WorldClock& clock);

  const WorldClock& clock_;
  std::shared_ptr<log::Counters> counters_ = std::make_shared<log::Counters>();
  std::unique_ptr<ControlView> control_;
  net::FakeResolver resolver_;
  observe::Metrics metrics_;
  observe::Health health_;
  async::Shards shards_{2};
  poison::Slots poison_{2};  // the process is torn down, it does not crash with a record in hand
  async::BlockingPool pool_{"pool", 2, 1024};
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<sender::Sender> sender_;
  std::unique_ptr<role::Role> router_;
  std::unique_ptr<role::Role> ingress_;
};

}  // namespace godwit::durability
