#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "common/log/partition_log.h"

namespace godwit::log {

// Threads that read single records from segments, for read_at(). At most kWaitingMax wait; more are refused.
//
// Lifecycle  the threads start with it; stop() answers what waits with kClosed and joins
// Threads    any
class ReadPool {
 public:
  static constexpr std::size_t kWaitingMax = 4096;

  explicit ReadPool(std::size_t threads);
  ~ReadPool();
  void read(RunRead run, Offset offset, ReadDone done);
  void stop();

 private:
  struct Job {
    RunRead run;
    Offset offset;
    ReadDone done;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable condition_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace godwit::log
