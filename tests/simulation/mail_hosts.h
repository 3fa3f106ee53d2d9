#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/net/connector.h"
#include "tests/simulation/laws.h"
#include "tests/simulation/process.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

// How a domain's host behaves, each in percent of the occasions.
struct Habits {
  std::string name;
  unsigned refuses = 0;         // connections; some of them silently
  unsigned turns_away = 0;      // 421 as a greeting
  unsigned defers = 0;          // 450 at RCPT
  unsigned rejects = 0;         // 550 at RCPT
  unsigned defers_content = 0;  // 451 at the final dot
  unsigned takes_and_cuts = 0;  // takes the mail, and is gone without a word
  unsigned cuts = 0;            // is gone at the final dot and has not taken it
  unsigned slow = 0;            // answers the final dot late, some of it too late
};

// The world's mail hosts: SMTP servers on a thread of their own in virtual time, and the wires to them.
//
// Wires  socket pairs, so that the sender's streams are the real ones. A killed process' ends are shut: what it had
//        written before arrives, then there is nothing more
class MailHosts {
 public:
  static constexpr std::size_t kDomains = 7;

  MailHosts(World& world, Laws& laws);

  // As Process' of the same names.
  bool step() {
    awake_ = awake_ && shard_.poll_one() > 0;
    return awake_;
  }
  [[nodiscard]] Instant next() const { return shard_.timers().next().value_or(Instant::max()); }
  void wake_if_due() { awake_ = awake_ || next() <= world_.now(); }
  // Somebody may have written to a host.
  void wake() { awake_ = awake_ || sessions_ > 0; }
  // "d3.example", whose MX is "mx.d3.example" at 11.0.0.4.
  [[nodiscard]] static std::string domain(std::size_t index);
  [[nodiscard]] static net::IpAddress address(std::size_t index);

  // The process' way to them.
  [[nodiscard]] std::unique_ptr<net::Connector> connector(Process& process);
  void killed(std::uint64_t life);
  // From now on hosts are kind: nobody refuses, cuts or is slow.
  void calm() { calm_ = true; }

 private:
  class Wires;
  struct Session;
  [[nodiscard]] async::Task<Result<net::Stream>> open(Process& process, std::size_t host,
                                                      Instant deadline);
  static async::Task<void> serve(MailHosts& hosts, std::unique_ptr<Session> session);
  [[nodiscard]] bool does(unsigned percent) { return !calm_ && world_.chance(percent); }

  World& world_;
  Laws& laws_;
  async::Shard shard_;
  async::Gate gate_;
  std::vector<Habits> habits_;
  bool calm_ = false;
  bool awake_ = true;
  std::size_t sessions_ = 0;
  std::map<int, std::uint64_t> open_;  // by a process' end of a wire: whose it is
};

}  // namespace godwit::simulation
