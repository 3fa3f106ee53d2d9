#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace godwit::bench {

// Work whose cost is counted, round by round. What a scenario does in Counted (counts.h) is ours; what
// stands around it (clients, mail hosts, the making of input) is not.
//
// Repeats   the same build runs the same instructions each time: time is virtual, chance is seeded
//           (but for ids, whose octets no path depends on), nothing runs on another thread
// Lifecycle made by make(); rounds follow; it is never destroyed: a role that ends waits for threads
class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual void round() = 0;
  // Of one round: what the sum is divided by.
  [[nodiscard]] virtual std::size_t messages() const = 0;
};

struct NamedScenario {
  std::string_view name;
  std::unique_ptr<Scenario> (*make)();
};

// Through sessions of ingress, the router and the sender as they are: node.cc.
[[nodiscard]] std::span<const NamedScenario> node_scenarios();
// Single pure parts: parts.cc.
[[nodiscard]] std::span<const NamedScenario> part_scenarios();

}  // namespace godwit::bench
