#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace godwit {

// Where jitter, ids and shuffles come from, so that a test can repeat them by seed.
// Threads: an instance belongs to one thread; system_random() gives each thread its own.
class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t next() = 0;

  // Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  [[nodiscard]] double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  void fill(std::span<std::byte> out);
};

// Repeatable: equal seeds give equal sequences. For tests, jitter and load; never for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// The calling thread's generator, seeded from the kernel. Good for ids and jitter, not for keys.
[[nodiscard]] Random& system_random();
// The calling thread's generator goes on as SeededRandom(seed) does. For the simulation.
void repeat_system_random(std::uint64_t seed);

}  // namespace godwit
