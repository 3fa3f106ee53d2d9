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

inline constexpr std::array kNamedSeeds{
    NamedSeed{1695,
              "the last commit of a partition that is given back had 5 s, end markers took longer: "
              "the next owner "
              "attempted at once what was given up"},
};

}  // namespace godwit::simulation
