#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

namespace godwit::role {

// The signals a process of ours answers. Construct it first in main, before any other thread exists: it blocks
// SIGTERM, SIGINT and SIGHUP for the whole process (and ignores SIGPIPE), and takes them on a thread of its own.
//
// A second SIGTERM or SIGINT ends the process at once, by that signal, whatever main is doing.
// Threads    wait() belongs to main; raise() may be called from any thread.
class Signals {
 public:
  enum class Signal : std::uint8_t { kTerminate, kReload };

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next signal, each kind at most once however often it came; nothing after `timeout`.
  [[nodiscard]] std::optional<Signal> wait(std::chrono::milliseconds timeout);

  // The same as if the process had got the signal, but never ends it at once: for an administrator's command.
  void raise(Signal signal);

 private:
  void take_loop();

  std::mutex mutex_;
  std::condition_variable came_;
  bool terminate_ = false;
  bool reload_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace godwit::role
