#include "cli/run/pulse.h"

#include <string>

namespace godwit::cli::run {

Pulse::Pulse(async::Shards& shards, observe::Health& health) : shards_(shards) {
  for (std::size_t i = 0; i < shards.size(); ++i) {
    async::Shard& shard = shards.at(i);
    auto one = std::make_unique<Beat>();
    one->heart = health.heartbeat("shard-" + std::to_string(i), kStillMax, shard.now());
    shard.spawn(beat(shard, *one), gate_);
    beats_.push_back(std::move(one));
  }
}

Pulse::~Pulse() {
  for (std::size_t i = 0; i < beats_.size(); ++i) {
    shards_.at(i).post([sleeper = &beats_[i]->sleeper] { sleeper->wake(); });
  }
  gate_.close_and_wait();
}

async::Task<void> Pulse::beat(async::Shard& shard, Beat& beat) {
  do {
    beat.heart->beat(shard.now());
  } while (co_await beat.sleeper.sleep_until(shard.now() + std::chrono::seconds(1)));
}

}  // namespace godwit::cli::run
