#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tests/simulation/laws.h"
#include "tests/simulation/node.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

struct Options {
  std::uint64_t seed = 1;
  Mutant mutant = Mutant::kNone;
  std::filesystem::path tls_ca_file;
  std::filesystem::path
      directory;  // for what outlives processes; made and removed by who runs the seed
  std::function<void(std::string_view)> say;  // the trace, line by line
};

struct Outcome {
  std::string broken;  // the first law that was; empty: none
  Laws::Counts counts;
  std::uint64_t steps = 0;
  std::uint64_t deaths = 0;
  Duration elapsed{};  // virtual
};

// One world from its beginning to its judgement. What was made in it is not destroyed, so that killed processes stay
// as they were: run few in one process.
[[nodiscard]] Outcome simulate(const Options& options);

}  // namespace godwit::simulation
