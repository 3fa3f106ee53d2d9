#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace godwit::role {

// How long the end of a process may take, whatever waits in it: with no broker left librdkafka waits for one in calls
// that cannot be broken off. Nothing acknowledged is lost by an end without ceremony: it is a crash like any other.
//
// Lifecycle  begins with the object; destroyed before `bound` is over nothing happens
// Threads    one of its own, which calls `over` at most once, while everything else goes on
class EndLimit {
 public:
  // `over` ends the process, and has to hold no lock to do it.
  EndLimit(std::chrono::milliseconds bound, std::function<void()> over);
  ~EndLimit();
  EndLimit(const EndLimit&) = delete;
  EndLimit& operator=(const EndLimit&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace godwit::role
