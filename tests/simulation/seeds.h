#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace godwit::simulation {

// Seeds that found a defect, and what it was. They are run for ever.
struct NamedSeed {
  std::uint64_t seed;
  std::string_view found;
};

inline constexpr std::array<NamedSeed, 0> kNamedSeeds{};

}  // namespace godwit::simulation
