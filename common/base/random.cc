#include "common/base/random.h"

#include <cstring>

namespace godwit {

std::uint64_t Random::below(std::uint64_t bound) {
  // Lemire's multiplication: the bias is below 2^-64 * bound, which nothing here can notice.
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

void Random::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const std::uint64_t word = next();
    const std::size_t count = out.size() < sizeof word ? out.size() : sizeof word;
    std::memcpy(out.data(), &word, count);
    out = out.subspan(count);
  }
}

namespace {

SeededRandom& thread_random() {
  thread_local SeededRandom random = [] {
    std::random_device device;
    return SeededRandom((static_cast<std::uint64_t>(device()) << 32) ^ device());
  }();
  return random;
}

}  // namespace

Random& system_random() {
  return thread_random();
}

void repeat_system_random(std::uint64_t seed) {
  thread_random() = SeededRandom(seed);
}

}  // namespace godwit
