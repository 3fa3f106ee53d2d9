#pragma once

#include <cstdint>
#include <memory>

#include "tests/simulation/laws.h"
#include "tests/simulation/process.h"
#include "tests/simulation/simulated_log.h"

namespace godwit::simulation {

// Hands mail in as ingress does, and remembers what was acknowledged. What was not may be there all the same. Some of it
// has its content in `bodies`; some is so large, for so many, that the router puts it there.
class Customer {
 public:
  Customer(Cluster& cluster, std::chrono::milliseconds age);

  // One message, somewhere in the next `within`.
  void send(Duration within);
  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] SimulatedLog& log() { return log_; }
  void heal() { process_.losses_percent = 0; }

 private:
  struct Mail;
  void hand_in();
  void put_body(std::shared_ptr<Mail> mail);
  void put_message(const std::shared_ptr<Mail>& mail);

  Cluster& cluster_;
  const std::chrono::milliseconds age_;
  Disk disk_;
  Process process_;
  SimulatedLog log_;
  std::unique_ptr<log::Producer> producer_;
  std::uint64_t sent_ = 0;
};

}  // namespace godwit::simulation
