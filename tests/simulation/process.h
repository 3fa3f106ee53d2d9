#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/async/completion.h"
#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "tests/simulation/brokers.h"
#include "tests/simulation/coordinator.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

class Laws;

// What all nodes share: the brokers with their groups, and who watches.
struct Cluster {
  World& world;
  Brokers brokers;
  std::map<std::string, Coordinator> groups;  // by name
  Laws& laws;
  Mutant mutant;
};

// One life of a node, as the log's client sees it: its thread, its disk, and its way to the brokers.
//
// A killed process is never destroyed: nothing of it runs any more, and no destructor has a say, as with a real one.
struct Process {
  Process(Cluster& shared, std::string name, std::uint64_t number, Disk& copies)
      : cluster(shared), node(std::move(name)), life(number), disk(copies) {}

  Cluster& cluster;
  const std::string node;
  const std::uint64_t life;  // another one for each process of all nodes
  Disk& disk;
  async::Shards shards{1, cluster.world.clock()};
  async::Gate gate;  // never closed
  bool alive = true;
  bool paused = false;  // its thread stands still
  bool awake = true;    // its thread may have something to do; whoever gives it something says so
  Instant cut_until{};  // no way to the brokers, there or back
  unsigned losses_percent = 0;

  [[nodiscard]] World& world() const { return cluster.world; }
  [[nodiscard]] async::Shard& shard() { return shards.at(0); }
  [[nodiscard]] const async::Shard& shard() const { return const_cast<Process*>(this)->shard(); }
  void spawn(async::Task<void> task) {
    awake = true;
    shard().spawn(std::move(task), gate);
  }
  // True when something happened.
  bool step() {
    awake = awake && shard().poll_one() > 0;
    return awake;
  }
  // When its thread has something to do by itself.
  [[nodiscard]] Instant next() const { return shard().timers().next().value_or(Instant::max()); }
  void wake_if_due() { awake = awake || next() <= world().now(); }
  [[nodiscard]] std::string name() const { return node + "." + std::to_string(life); }
};

// Gives the process an answer. A dead one's callback is neither called nor destroyed: both would run its code.
template <class T>
void tell(Process& process, std::move_only_function<void(T)> done, T answer) {
  if (process.alive) {
    process.awake = true;
    done(std::move(answer));
  } else {
    [[maybe_unused]] const auto* const kept = new auto(std::move(done));
  }
}

// Asks the brokers. nullopt: no answer; it was done or it was not.
template <class T>
async::Task<std::optional<T>> ask(Process& process, std::move_only_function<T()> what) {
  using namespace std::chrono_literals;
  using Done = std::move_only_function<void(std::optional<T>)>;
  co_return co_await async::completion<std::optional<T>>([&process, &what](Done done) {
    World& world = process.world();
    const bool cut = process.cut_until > world.now();
    const bool lost = cut || world.chance(process.losses_percent);
    if (lost && (cut || world.chance(50))) {
      world.after(2s, [&process, done = std::move(done)]() mutable {
        tell<std::optional<T>>(process, std::move(done), std::nullopt);
      });
      return;
    }
    // What was sent arrives, even if its sender dies.
    world.after(world.between(0ms, 6ms), [&process, lost, what = std::move(what),
                                          done = std::move(done)]() mutable {
      World& there = process.world();
      std::optional<T> answer = what();
      const bool lost_now = lost || process.cut_until > there.now();
      if (lost_now) answer.reset();
      there.after(lost_now ? Duration(2s) : there.between(0ms, 6ms),
                  [&process, answer = std::move(answer), done = std::move(done)]() mutable {
                    tell<std::optional<T>>(process, std::move(done), std::move(answer));
                  });
    });
  });
}

}  // namespace godwit::simulation
