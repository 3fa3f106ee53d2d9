#pragma once

#include <memory>

#include "tests/simulation/laws.h"
#include "tests/simulation/process.h"
#include "tests/simulation/simulated_log.h"

namespace godwit::simulation {

// Looks now and then who is held, and decides about some of them: any decision, some of them twice.
class Operator {
 public:
  // `log`: through which he sees and decides.
  Operator(Cluster& cluster, SimulatedLog& log)
      : cluster_(cluster), log_(log), producer_(log.producer()) {}

  // From now on, for ever.
  void look();

 private:
  void decide(const accounting::HeldRow& row);

  Cluster& cluster_;
  SimulatedLog& log_;
  std::unique_ptr<log::Producer> producer_;
};

}  // namespace godwit::simulation
