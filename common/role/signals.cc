#include "common/role/signals.h"

#include <unistd.h>

#include <csignal>
#include <ctime>
#include <utility>

#include "common/base/check.h"

namespace godwit::role {
namespace {

sigset_t taken_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Ends the process the way it would have ended without us, so that whoever waits for it sees the signal.
[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  kill(getpid(), signal);
  _exit(128 + signal);
}

}  // namespace

Signals::Signals() {
  const sigset_t set = taken_signals();
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals can be blocked");
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread(&Signals::take_loop, this);
}

Signals::~Signals() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  thread_.join();
}

void Signals::take_loop() {
  const sigset_t set = taken_signals();
  constexpr timespec kLookAround{.tv_sec = 0, .tv_nsec = 50'000'000};
  bool told_to_end = false;
  while (true) {
    const int signal = sigtimedwait(&set, nullptr, &kLookAround);
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    if (signal == SIGHUP) {
      reload_ = true;
    } else if (signal > 0) {
      if (std::exchange(told_to_end, true)) end_by(signal);
      terminate_ = true;
    } else {
      continue;
    }
    came_.notify_all();
  }
}

void Signals::raise(Signal signal) {
  const std::lock_guard lock(mutex_);
  (signal == Signal::kTerminate ? terminate_ : reload_) = true;
  came_.notify_all();
}

std::optional<Signals::Signal> Signals::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  came_.wait_for(lock, timeout, [this] { return terminate_ || reload_; });
  if (std::exchange(terminate_, false)) return Signal::kTerminate;
  if (std::exchange(reload_, false)) return Signal::kReload;
  return std::nullopt;
}

}  // namespace godwit::role
