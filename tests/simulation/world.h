#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/manual_clock.h"
#include "common/base/random.h"

namespace godwit::simulation {

// The rule that is broken on purpose, to prove that the laws notice. kNone: all rules hold.
enum class Mutant : std::uint8_t {
  kNone,
  kCommitBeforeWrite,    // positions are committed before the records that follow from them
  kNoFence,              // the brokers take positions of any generation, from anybody
  kReplayToLastStable,   // a new owner replays its table to the last stable offset only
  kReuseOldCopy,         // a local copy is used however old it is
  kUnstablePositions,    // a new owner takes positions while a transaction still holds newer ones
  kMoveInTwo,            // what moves to another partition ends here before it is there
  kReferenceBeforeBody,  // content of bodies is acknowledged before it is written
  kForgetEvents,         // the log loses the events of a commit now and then, and says nothing
};
[[nodiscard]] std::string_view mutant_name(Mutant mutant);
[[nodiscard]] const std::vector<Mutant>& all_mutants();  // without kNone

// Time, chance and what is going to happen: one of each for all of the simulated world.
//
// Order    what is due at the same moment happens in the order in which it was scheduled
// Repeats  equal seeds give equal worlds, line by line of the trace
// Threads  one
class World {
 public:
  // `say`: where the trace goes, line by line; none: it is not kept.
  World(std::uint64_t seed, std::function<void(std::string_view)> say);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] const ManualClock& clock() const { return clock_; }
  [[nodiscard]] Instant now() const { return clock_.instant(); }
  [[nodiscard]] Duration elapsed() const { return now() - began_; }
  void jump(Duration by) { clock_.advance(by); }

  [[nodiscard]] Random& random() { return random_; }
  // True `percent` times of a hundred.
  [[nodiscard]] bool chance(unsigned percent) { return random_.below(100) < percent; }
  // Uniform in [from, to].
  [[nodiscard]] Duration between(Duration from, Duration to);

  void after(Duration delay, std::move_only_function<void()> what);
  // When the next is due; Instant::max(): nothing is going to happen.
  [[nodiscard]] Instant next() const;
  // Lets the first that is due happen. False: nothing is.
  bool happen();

  // One line of the trace: when, who, what.
  void say(std::string_view who, std::string_view what);
  [[nodiscard]] bool traced() const { return static_cast<bool>(say_); }

 private:
  ManualClock clock_;
  const Instant began_;
  SeededRandom random_;
  std::uint64_t scheduled_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, std::move_only_function<void()>> schedule_;
  std::function<void(std::string_view)> say_;
};

}  // namespace godwit::simulation
