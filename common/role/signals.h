#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace godwit::role {

// The signals a process of ours answers. Construct it first in main, before any other thread
// exists: it blocks SIGTERM, SIGINT and SIGHUP for the whole process (and ignores SIGPIPE), and
// takes them on a thread of its own.
//
// A second SIGTERM or SIGINT ends the process at once, by that signal, whatever main is doing.
// Threads    wait() belongs to main.
class Signals {
 public:
  enum class Signal : std::uint8_t { kTerminate, kReload };

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next signal, each kind at most once however often it came; nothing after `timeout`.
  [[nodiscard]] std::optional<Signal> wait(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace godwit::role
