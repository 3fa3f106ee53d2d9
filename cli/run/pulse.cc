#include "cli/run/pulse.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace godwit::cli::run {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);

const observe::HistogramDefinition kDelay{"godwit_process_loop_delay_seconds",
                                          "How late an event loop came to what was due: one beat a "
                                          "second of each, timers tick every 16 ms.",
                                          observe::kLatencyBounds};

}  // namespace

Pulse::Pulse(async::Shards& shards, observe::Health& health, observe::Metrics& metrics)
    : shards_(shards) {
  observe::Histogram& delay = metrics.histogram(kDelay);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    async::Shard& shard = shards.at(i);
    auto one = std::make_unique<Beat>();
    one->heart = health.heartbeat("shard-" + std::to_string(i), kStillMax, shard.now());
    shard.spawn(beat(shard, *one, delay), gate_);
    beats_.push_back(std::move(one));
  }
}

Pulse::~Pulse() {
  for (std::size_t i = 0; i < beats_.size(); ++i) {
    shards_.at(i).post([sleeper = &beats_[i]->sleeper] { sleeper->wake(); });
  }
  gate_.close_and_wait();
}

async::Task<void> Pulse::beat(async::Shard& shard, Beat& beat, observe::Histogram& delay) {
  while (true) {
    beat.heart->beat(shard.now());
    const Instant due = shard.now() + kInterval;
    if (!co_await beat.sleeper.sleep_until(due)) co_return;
    // shard.now() is as of the turn of the loop; what counts is the clock.
    delay.observe(std::max(std::chrono::steady_clock::now() - due, Duration{}));
  }
}

}  // namespace godwit::cli::run
