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
  struct Messages {
    std::uint64_t total = 0;
    std::uint64_t scheduled = 0;
    std::uint64_t urgent = 0;
    std::uint64_t large = 0;  // whose content is in `bodies`
  };
  void add(const std::vector<std::string>& recipients, const Messages& messages);
  [[nodiscard]] std::set<std::string> all() const;
  [[nodiscard]] Messages messages() const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> recipients_;
  Messages messages_;
};

// Sends mail as fast as the destination takes it: over SMTP, and, since SMTP here has no way to say "later",
// scheduled mail as ingress would write it. Some is urgent; every tenth recipient is deferred at least once; a few
// contents are too large for a record (`bodies`); every content carries its checksum (digest.h).
//
// Threads  run() on a thread of its own
class Customer {
 public:
  struct World {
    Pipeline& pipeline;
    Promises& promises;
    Destination& destination;
    PowerCut& power;
    WorldClock& clock;
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
    bool urgent = false;
    bool large = false;
    bool scheduled = false;
  };
  Mail compose();
  std::string recipient(bool prompt);
  void send(ingress::testing::TestClient& client, const Mail& mail);
  void write(log::Producer& producer, const Mail& mail);
  [[nodiscard]] Result<log::Written> append(log::Producer& producer,
                                            std::vector<log::Append> records);
  void acknowledged(const Mail& mail);
  void wait_for_destination();
  void wait_for_segments();

  World world_;
  std::string name_;
  SeededRandom random_;
  std::size_t taken_before_;
  int messages_ = 0;
  int recipients_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace godwit::durability
