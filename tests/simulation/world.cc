#include "tests/simulation/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/check.h"

namespace godwit::simulation {

std::string_view mutant_name(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone: return "none";
    case Mutant::kCommitBeforeWrite: return "commit-before-write";
    case Mutant::kNoFence: return "no-fence";
    case Mutant::kReplayToLastStable: return "replay-to-last-stable";
    case Mutant::kReuseOldCopy: return "reuse-old-copy";
    case Mutant::kUnstablePositions: return "unstable-positions";
    case Mutant::kMoveInTwo: return "move-in-two";
    case Mutant::kReferenceBeforeBody: return "reference-before-body";
    case Mutant::kForgetEvents: return "forget-events";
  }
  CHECK(false, "mutant {}", static_cast<int>(mutant));
}

const std::vector<Mutant>& all_mutants() {
  static const std::vector<Mutant> all{Mutant::kCommitBeforeWrite,   Mutant::kNoFence,
                                       Mutant::kReplayToLastStable,  Mutant::kReuseOldCopy,
                                       Mutant::kUnstablePositions,   Mutant::kMoveInTwo,
                                       Mutant::kReferenceBeforeBody, Mutant::kForgetEvents};
  return all;
}

World::World(std::uint64_t seed, std::function<void(std::string_view)> say)
    : began_(clock_.instant()), random_(seed), say_(std::move(say)) {}

Duration World::between(Duration from, Duration to) {
  return from + Duration(static_cast<Duration::rep>(
                    random_.below(static_cast<std::uint64_t>((to - from).count()) + 1)));
}

void World::after(Duration delay, std::move_only_function<void()> what) {
  schedule_.emplace(std::pair(now() + std::max(delay, Duration::zero()), ++scheduled_),
                    std::move(what));
}

Instant World::next() const {
  return schedule_.empty() ? Instant::max() : schedule_.begin()->first.first;
}

bool World::happen() {
  if (next() > now()) return false;
  auto what = std::move(schedule_.begin()->second);
  schedule_.erase(schedule_.begin());
  what();
  return true;
}

void World::say(std::string_view who, std::string_view what) {
  if (!say_) return;
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(elapsed()).count();
  say_(fmt::format("{:>11}.{:03} {:<8} {}", ms / 1000, ms % 1000, who, what));
}

}  // namespace godwit::simulation
