#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "tests/simulation/simulation.h"

namespace godwit::simulation {

// A directory with a file of one root certificate, for the life of the object.
class Roots {
 public:
  Roots();
  ~Roots();
  Roots(const Roots&) = delete;
  Roots& operator=(const Roots&) = delete;
  [[nodiscard]] std::filesystem::path file() const { return directory_ / "roots.pem"; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

// Seeds in child processes, a few in each, because what was made in a world stays in memory. A seed whose process
// dies is broken too. Prints each seed that is broken, and a line of totals at the end.
// Output    the broken ones and why
using Broken = std::map<std::uint64_t, std::string>;
[[nodiscard]] Broken run_seeds(const Options& options, std::uint64_t seeds, std::size_t jobs);

// One seed in this process, with its trace. True: no law was broken.
[[nodiscard]] bool run_traced(const Options& options, bool logs);

// Everything that a change must pass: `seeds` seeds, the named ones, a few of them twice with the same trace, and each
// mutant, which a law has to notice within kMutantSeeds. Prints a line for each case: "passed NAME" or "failed NAME: why".
inline constexpr std::uint64_t kMutantSeeds = 1000;
[[nodiscard]] bool run_check(const Options& options, std::uint64_t seeds, std::size_t jobs);

}  // namespace godwit::simulation
