#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/log/log.h"
#include "ingress/test_client.h"
#include "tests/durability/destination.h"
#include "tests/durability/pipeline.h"
#include "tests/durability/power_cut.h"

namespace godwit::durability {

// What the customers were promised: the recipients of mail that was acknowledged. Threads: any.
class Promises {
 public:
  void add(const std::vector<std::string>& recipients);
  void add_scheduled() { ++scheduled_total_; }
  [[nodiscard]] std::set<std::string> all() const;
  [[nodiscard]] std::uint64_t messages_total() const { return messages_total_; }
  [[nodiscard]] std::uint64_t scheduled_total() const { return scheduled_total_; }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> recipients_;
  std::atomic<std::uint64_t> messages_total_{0};
  std::atomic<std::uint64_t> scheduled_total_{0};
};

// Sends mail as fast as the destination takes it: over SMTP, and, since SMTP here has no way to say "later",
// scheduled mail as ingress would write it. Every tenth recipient is deferred at least once.
//
// Threads  run() on a thread of its own
class Customer {
 public:
  struct World {
    Pipeline& pipeline;
    Promises& promises;
    Destination& destination;
    PowerCut& power;
    const WorldClock& clock;
    std::atomic<std::int64_t>& prompt;  // recipients of this life that should be taken at once
  };
  // `name` is part of every address, so that none is ever used twice.
  Customer(World world, std::string name, std::uint64_t seed);

  // Until `enough`, or until the power is gone.
  void run(const std::function<bool()>& enough);
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Mail {
    std::vector<std::string> recipients;
    std::string content;  // with CRLF, no line begins with a dot
    std::int64_t prompt = 0;
  };
  Mail compose();
  std::string recipient(std::int64_t& prompt);
  void send(ingress::testing::TestClient& client, const Mail& mail);
  void schedule(log::Producer& producer, const Mail& mail);
  void acknowledged(const Mail& mail);
  void wait_for_destination();

  World world_;
  std::string name_;
  SeededRandom random_;
  std::size_t taken_before_;
  int messages_ = 0;
  int recipients_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace godwit::durability
