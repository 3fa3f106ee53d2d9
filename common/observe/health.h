#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

// What /livez and /readyz answer. Ready: every component says so. Live: every heartbeat is younger
// than its limit; a process that is not live should be killed, so heartbeats belong to loops that
// can only stop by a defect of ours, never to what waits for the world.
namespace godwit::observe {

// Threads: any.
class Health {
 public:
  // One thing that must be well before traffic comes. Starts with the problem "starting".
  class Component {
   public:
    void ok() { problem({}); }
    void problem(std::string_view text);  // for people; empty: well
    [[nodiscard]] std::string problem() const;
    [[nodiscard]] const std::string& name() const { return name_; }

   private:
    friend class Health;
    explicit Component(std::string_view name) : name_(name) {}
    const std::string name_;
    mutable std::mutex mutex_;
    std::string problem_ = "starting";
  };

  // The pulse of one loop.
  class Heartbeat {
   public:
    void beat(Instant now) {
      last_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }

   private:
    friend class Health;
    Heartbeat(std::string_view name, Duration limit) : name_(name), limit_(limit) {}
    const std::string name_;
    const Duration limit_;
    std::atomic<Duration::rep> last_{0};
  };

  // The handles register until they are released by everybody.
  [[nodiscard]] std::shared_ptr<Component> component(std::string_view name);
  [[nodiscard]] std::shared_ptr<Heartbeat> heartbeat(std::string_view name, Duration limit,
                                                     Instant now);

  // Not ready from here on, whatever the components say: the load balancer sends no more.
  void drain() { draining_ = true; }

  struct Trouble {
    std::string name;
    std::string problem;
  };
  // Empty: ready; live.
  [[nodiscard]] std::vector<Trouble> not_ready() const;
  [[nodiscard]] std::vector<Trouble> not_live(Instant now) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Component>> components_;
  std::vector<std::weak_ptr<Heartbeat>> heartbeats_;
  std::atomic<bool> draining_{false};
};

}  // namespace godwit::observe
