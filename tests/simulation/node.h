#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "common/poison/slots.h"
#include "tests/simulation/control_data.h"
#include "tests/simulation/dns.h"
#include "tests/simulation/mail_hosts.h"
#include "tests/simulation/process.h"

namespace godwit::simulation {

// What every process is configured with.
struct Settings {
  ControlData& control;
  std::chrono::milliseconds age{};
  std::chrono::milliseconds drain_wait{};
  std::filesystem::path tls_ca_file;  // roots nobody needs: the system's take long to read
  std::filesystem::path directory;    // for what outlives a process; empty: nothing does
};

// A machine of the cluster: its disk, and the process on it, which runs the roles `router` and `sender` as they are.
//
// Steps     step() lets one thing happen on the process' thread; between any two it can be killed
// Memory    of killed processes stays: their destructors must not run
class Node {
 public:
  Node(Cluster& cluster, MailHosts& hosts, Dns& dns, const Settings& settings, std::string name);

  void start();
  void kill();
  // After so many of its steps.
  void kill_after(std::uint64_t steps) { kill_in_ = steps; }
  // Its threads stand still, as after SIGSTOP; time goes on.
  void pause();
  void resume();
  // SIGTERM: finishes and ends; its place in the groups stays, or not.
  void finish(bool leave);
  // Is killed with that in hand, and so often again, each time before it has done anything.
  void die_of(const poison::Work& work, std::uint64_t times);
  void cut(Duration time);
  void lose_answers(unsigned percent);
  void lose_disk() { disk_.lose(); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool alive() const { return life_ != nullptr; }
  [[nodiscard]] bool runs() const { return alive() && !paused_; }
  // True when something happened.
  bool step();
  // When its thread has something to do by itself.
  [[nodiscard]] Instant next() const;
  void wake_if_due();

 private:
  struct Life;
  void end(std::string_view how);
  [[nodiscard]] std::filesystem::path slots_file() const {
    return settings_.directory / (name_ + ".poison");
  }

  Cluster& cluster_;
  MailHosts& hosts_;
  Dns& dns_;
  const Settings& settings_;
  const std::string name_;
  Disk disk_;
  Life* life_ = nullptr;  // owned until it is killed, then nobody's
  bool paused_ = false;
  std::uint64_t kill_in_ = 0;  // 0: not
};

}  // namespace godwit::simulation
