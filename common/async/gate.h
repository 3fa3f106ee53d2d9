#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "common/async/task.h"

namespace godwit::async {

// Counts what is under way, so that whoever stops can wait for it: nothing is detached.
//
//     gate.try_enter()            ... a Pass that counts until it is destroyed
//     shard.spawn(task, gate)     ... the same for a whole coroutine
//     co_await gate.close()       ... lets nothing in any more and waits until all are out
//
// A gate only waits: what is inside ends because its streams were closed (StopSignal) or its work
// is done.
//
// Threads    any; one short lock for entering and leaving. For sessions and roles, not for lines.
// Lifecycle  must be empty when destroyed.
class Gate {
 public:
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      if (this != &other) {
        leave();
        gate_ = std::exchange(other.gate_, nullptr);
      }
      return *this;
    }
    ~Pass() { leave(); }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}
    void leave();
    Gate* gate_ = nullptr;
  };

  Gate() = default;
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // An empty Pass when the gate is closed.
  [[nodiscard]] Pass try_enter();

  // Closes and returns when the last is out. May be awaited by several at once, and again later.
  [[nodiscard]] Task<void> close();
  // The same for a thread that is not a shard (main, a test). Never call it on a shard that has to
  // run what is inside.
  void close_and_wait();
  // Lets nothing in any more, without waiting.
  void shut();

  [[nodiscard]] bool closed() const;
  [[nodiscard]] std::size_t count() const;

 private:
  void leave();

  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::size_t count_ = 0;
  bool closed_ = false;
  std::vector<std::move_only_function<void()>> waiting_;
};

}  // namespace godwit::async
